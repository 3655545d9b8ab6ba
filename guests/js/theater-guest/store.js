// Content by hash, with labels: `theater:simple/store`.

import { asked, bytes, store as host, string } from "./interfaces.js";

const named = (label) => string(label, "a label");
const ref = (hash) => ({ hash: string(hash, "a hash") });

/**
 * A store by its id; keep the id among the actor's fields.
 *
 * Content is named by its SHA-256, 64 lower-case hexadecimal digits. Every method throws HostError with
 * the host's code, `permission.denied` for a store that is not the actor's.
 */
export class Store {
  constructor(id) {
    this.id = string(id, "a store's id");
  }

  /** Create a store. */
  static create() {
    return new Store(asked(() => host.new()));
  }

  /** Keep content and return its hash; with `label`, add it to that label in the same step. */
  put(content, { label } = {}) {
    const kept = bytes(content, "content");
    if (label === undefined) return asked(() => host.store(this.id, kept)).hash;
    return asked(() => host.storeAtLabel(this.id, named(label), kept)).hash;
  }

  /** The content of a hash. */
  get(hash) {
    return asked(() => host.get(this.id, ref(hash)));
  }

  /** Whether content is there. */
  exists(hash) {
    return asked(() => host.exists(this.id, ref(hash)));
  }

  /** Add content to a label, after what it already has. */
  label(label, hash) {
    asked(() => host.label(this.id, named(label), ref(hash)));
  }

  /** The hash most recently added to a label, null if there is no such label. */
  labelled(label) {
    return asked(() => host.getByLabel(this.id, named(label)))?.hash ?? null;
  }

  /** The content most recently added to a label, null if there is no such label. */
  read(label) {
    const hash = this.labelled(label);
    return hash === null ? null : this.get(hash);
  }

  /** Keep content as the only one of a label, atomically; returns its hash. */
  write(label, content) {
    return asked(() => host.replaceContentAtLabel(this.id, named(label), bytes(content, "content"))).hash;
  }

  /** Make content the only one of a label, atomically. */
  relabel(label, hash) {
    asked(() => host.replaceAtLabel(this.id, named(label), ref(hash)));
  }

  /** Take one hash off a label, or without one delete the label. The content stays. */
  unlabel(label, hash = null) {
    if (hash === null) asked(() => host.removeLabel(this.id, named(label)));
    else asked(() => host.removeFromLabel(this.id, named(label), ref(hash)));
  }

  /** All labels, sorted. */
  labels() {
    return asked(() => host.listLabels(this.id));
  }

  /** The hashes of all content, sorted. */
  contents() {
    return asked(() => host.listAllContent(this.id)).map((ref) => ref.hash);
  }

  /** Bytes of all distinct content, each counted once. */
  size() {
    return Number(asked(() => host.calculateTotalSize(this.id)));
  }
}
