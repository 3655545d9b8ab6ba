// What holds for the call that is running, and what is different before the first one.
//
// A component's modules run once, when it is built; what they leave in memory is what every instance
// starts from. Nothing of the host is there then: no log, no clock of a call, no randomness.

export const inForce = {
  running: false,
  codec: "json",
  actorId: null,
  requestId: null,
};

const beginnings = [];

/** Have `reset` called at the beginning of each call. */
export function atBeginning(reset) {
  beginnings.push(reset);
}

/** Begin a call: what belongs to the call before is over. */
export function begin() {
  inForce.running = true;
  inForce.actorId = null;
  inForce.requestId = null;
  for (const reset of beginnings) reset();
}
