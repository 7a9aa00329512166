// Heads on their way through: hop-by-hop fields taken out, what the next hop must know put in.
// Everything is bytes; fields that are kept are copied in runs, not one by one.

export { put, putDecimal, putHex8 } from "./header_bytes.ts";
export {
  type Origin,
  originOf,
  REQUEST_HEAD_ROOM,
  type RequestExtras,
  writeRequestHead,
} from "./request_headers.ts";
export {
  chunkedToClient,
  RESPONSE_HEAD_ROOM,
  type ResponseExtras,
  writeResponseHead,
} from "./response_headers.ts";
