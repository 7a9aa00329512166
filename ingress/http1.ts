// HTTP/1 framing, read by RFC 9112 without leniency: what two readers could understand differently
// is refused, so that nothing ambiguous reaches a replica or a client. `field_block.ts` has the
// fields, `chunked.ts` the chunked coding.

export { BY_LENGTH, CHUNKED, eachListItem, NO_BODY, UNTIL_CLOSE } from "./message_head.ts";
export {
  CONNECT,
  DELETE,
  GET,
  HEAD,
  isIdempotent,
  OPTIONS,
  OTHER_METHOD,
  PATCH,
  POST,
  PUT,
  RequestHead,
  TRACE,
} from "./request_head.ts";
export { ResponseHead } from "./response_head.ts";
