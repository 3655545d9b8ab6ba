// The queue of what promises have to do next, for the engine that gives us none that runs.

let jobs = [];

/** Have a job run before the call returns. */
export function enqueue(job) {
  jobs.push(job);
}

/** Run all jobs, also those that they add. */
export function runJobs() {
  for (let at = 0; at < jobs.length; at++) {
    const job = jobs[at];
    // Finished ones are given up early, since a chain of promises may be long.
    if (at === 1023) {
      jobs = jobs.slice(at + 1);
      at = -1;
    }
    job();
  }
  jobs = [];
}

/** Forget what a call before left undone. */
export function dropJobs() {
  jobs = [];
}
