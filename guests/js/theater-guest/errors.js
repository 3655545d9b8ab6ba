// What can go wrong between an actor and its host.
//
// Uncaught, each becomes the caller's error text, `NameOfTheError: text`; Rejected without the name.

class Named extends Error {
  get name() {
    return this.constructor.kind;
  }
}

/** A host function answered with an error; `code` is its stable part, empty if there is none. */
export class HostError extends Named {
  static kind = "HostError";

  constructor(text) {
    super(text);
    const [, code, detail] = /^([\w.-]+): (.*)$/s.exec(text) ?? [text, "", text];
    this.code = code;
    this.detail = detail;
  }
}

/** The manifest doesn't grant the interface; the text has the lines to add. */
export class NotGranted extends Named {
  static kind = "NotGranted";
}

/** Throw it to answer with an error of your own: its text is what the caller gets. */
export class Rejected extends Named {
  static kind = "Rejected";
}

/** A message that is not what the actor's codec expects. */
export class BadMessage extends Named {
  static kind = "BadMessage";
}

/** A state that doesn't fit the actor's fields, or has no form in JSON. */
export class BadState extends Named {
  static kind = "BadState";
}
