// The interfaces of the host as the bindings have them, under the names of their WIT.
//
// An actor has those that its manifest grants. Errors are thrown; `payload` has the host's text.

declare module "theater:simple/runtime" {
  export interface Event {
    eventType: string;
    parent?: number | bigint | null;
    data: Uint8Array;
  }
  export interface MetaEvent {
    hash: number | bigint;
    event: Event;
  }
  export function log(msg: string): void;
  export function getChain(): { events: MetaEvent[] };
  export function shutdown(data: Uint8Array | null | undefined): void;
}

declare module "theater:agent/context@0.1.0" {
  export type Origin =
    | { tag: "actor"; val: string }
    | { tag: "client"; val: string }
    | { tag: "host" };
  export interface MessageInfo {
    id: string;
    origin: Origin;
    kind: string;
    deadline?: number | bigint | null;
    traceparent?: string | null;
  }
  export function message(): MessageInfo | null | undefined;
  export function selfId(): string;
  export function selfName(): string;
  export function parentId(): string | null | undefined;
}

declare module "theater:agent/scheduler@0.1.0" {
  export function after(delayMs: number | bigint, payload: Uint8Array): string;
  export function every(periodMs: number | bigint, payload: Uint8Array): string;
  export function cron(expression: string, payload: Uint8Array): string;
  export function cancel(timerId: string): void;
  export function pending(): string[];
}

declare module "theater:agent/registry@0.1.0" {
  export function register(name: string): void;
  export function unregister(name: string): void;
  export function whereis(name: string): string | null | undefined;
}

declare module "theater:simple/supervisor" {
  export interface ChainEvent {
    hash: Uint8Array;
    parentHash?: Uint8Array | null;
    eventType: string;
    data: Uint8Array;
    timestamp: number | bigint;
    description?: string | null;
  }
  export function spawn(manifest: string, initBytes: Uint8Array | null | undefined): string;
  export function resume(manifest: string, initState: Uint8Array | null | undefined): string;
  export function listChildren(): string[];
  export function stopChild(childId: string): void;
  export function restartChild(childId: string): void;
  export function getChildState(childId: string): Uint8Array | null | undefined;
  export function getChildEvents(childId: string): ChainEvent[];
}

declare module "theater:agent/supervision@0.1.0" {
  export type Status = "starting" | "running" | "paused" | "stopping" | "stopped" | "failed";
  export function childStatus(childId: string): Status;
}

declare module "theater:simple/message-server-host" {
  export function send(actorId: string, msg: Uint8Array): void;
  export function request(actorId: string, msg: Uint8Array): Uint8Array;
  export function openChannel(actorId: string, initialMsg: Uint8Array): string;
  export function sendOnChannel(channelId: string, msg: Uint8Array): void;
  export function closeChannel(channelId: string): void;
  export function listOutstandingRequests(): string[];
  export function respondToRequest(requestId: string, response: Uint8Array): void;
  export function cancelRequest(requestId: string): void;
}

declare module "theater:simple/store" {
  export interface ContentRef {
    hash: string;
  }
  function _new(): string;
  export { _new as new };
  export function store(storeId: string, content: Uint8Array): ContentRef;
  export function get(storeId: string, contentRef: ContentRef): Uint8Array;
  export function exists(storeId: string, contentRef: ContentRef): boolean;
  export function label(storeId: string, label: string, contentRef: ContentRef): void;
  export function getByLabel(storeId: string, label: string): ContentRef | null | undefined;
  export function removeLabel(storeId: string, label: string): void;
  export function removeFromLabel(storeId: string, label: string, contentRef: ContentRef): void;
  export function storeAtLabel(storeId: string, label: string, content: Uint8Array): ContentRef;
  export function replaceContentAtLabel(storeId: string, label: string, content: Uint8Array): ContentRef;
  export function replaceAtLabel(storeId: string, label: string, contentRef: ContentRef): void;
  export function listLabels(storeId: string): string[];
  export function listAllContent(storeId: string): ContentRef[];
  export function calculateTotalSize(storeId: string): number | bigint;
}

declare module "theater:simple/http-client" {
  export interface HttpRequest {
    method: string;
    uri: string;
    headers: [string, string][];
    body?: Uint8Array | null;
  }
  export interface HttpResponse {
    status: number;
    headers: [string, string][];
    body?: Uint8Array | null;
  }
  export function sendHttp(req: HttpRequest): HttpResponse;
}
