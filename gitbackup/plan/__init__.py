"""What a restore is going to do, settled before anything is written.

`plan` has the `Plan`, with what becomes of each key; `plan_json` writes it as JSON and reads it
again. `restore` makes plans and carries them out; here is no server and no git.
"""
