/* The page of a job that gets on by itself: asks how far it is, and shows the next page once it stops. */
"use strict";
(() => {
  const job = document.querySelector("[data-job]");
  if (!job) return;
  const part = (name) => job.querySelector(`[data-${name}]`);
  const what = part("what");
  const counted = part("counted");
  const bar = part("bar");
  let pause = 150; // milliseconds; longer if nothing comes of it

  const show = (told) => {
    if (what.textContent !== told.what) what.textContent = told.what;
    counted.textContent = told.counted;
    if (told.total) {
      bar.max = told.total;
      bar.value = told.done;
    } else {
      bar.removeAttribute("value");
    }
  };

  const ask = async (signal) => {
    try {
      const answer = await fetch(job.dataset.job, { headers: { "X-Background": "1" }, signal });
      if (answer.status >= 500) throw new Error(answer.status);
      const told = answer.ok ? await answer.json() : null; // the login has ended: a new one leads here again
      if (told?.state !== job.dataset.state) {
        gitbackup.reload();
        return null;
      }
      show(told);
      pause = Math.min(1000, pause * 1.2);
    } catch {
      if (signal.aborted) return null;
      counted.textContent = "";
      bar.removeAttribute("value");
      what.textContent = job.dataset.lost;
      pause = 2000;
    }
    return pause;
  };
  gitbackup.poll(ask, 0);
})();
