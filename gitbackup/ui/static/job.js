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

  const ask = async () => {
    try {
      const answer = await fetch(job.dataset.job, { headers: { "X-Background": "1" } });
      if (answer.status >= 500) throw new Error(answer.status);
      if (!answer.ok) {
        gitbackup.reload(); // the login has ended: a new one leads here again
        return;
      }
      const told = await answer.json();
      if (told.state !== job.dataset.state) {
        gitbackup.reload();
        return;
      }
      show(told);
      pause = Math.min(1000, pause * 1.2);
    } catch {
      counted.textContent = "";
      bar.removeAttribute("value");
      what.textContent = job.dataset.lost;
      pause = 2000;
    }
    setTimeout(ask, pause);
  };
  ask();
})();
