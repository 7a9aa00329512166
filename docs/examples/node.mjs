// A Node.js program: nothing of skr8tr is in it.
import { createServer } from "node:http";

const server = createServer((request, response) => {
  response.end(`${process.env.GREETING} from ${process.env.NODE}, asked for ${request.url}\n`);
});
server.listen(Number(process.env.PORT), process.env.HOST);
process.once("SIGTERM", () => server.close());
