// gRPC from end to end: grpc-js as client over TLS and as the replica, the ingress between them.

import grpc from "@grpc/grpc-js";
import { Buffer } from "node:buffer";
import { assert, assertEquals } from "@std/assert";
import { certify } from "./testing_tls.ts";
import { endpoint, eventually, route, testIngress } from "./testing.ts";

const same = (value: Buffer) => value;
const kinds = {
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
};
const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/test.Echo/${name}`,
  requestStream,
  responseStream,
  ...kinds,
});
const SERVICE = {
  unary: method("Unary", false, false),
  fail: method("Fail", false, false),
  collect: method("Collect", true, false),
  expand: method("Expand", false, true),
  chat: method("Chat", true, true),
};

type Duplex = grpc.ServerDuplexStream<Buffer, Buffer>;

function startReplica(): Promise<{ port: number; calls: { value: number } & AsyncDisposable }> {
  const server = new grpc.Server();
  const calls = {
    value: 0,
    [Symbol.asyncDispose]: () => Promise.resolve(server.forceShutdown()),
  };
  const trailers = new grpc.Metadata();
  trailers.set("x-trailer", "at the end");
  server.addService(SERVICE, {
    unary(call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) {
      calls.value++;
      const head = new grpc.Metadata();
      head.set("x-forwarded", String(call.metadata.get("x-forwarded-for")[0] ?? ""));
      call.sendMetadata(head);
      done(null, call.request, trailers);
    },
    fail(_call: unknown, done: grpc.sendUnaryData<Buffer>) {
      done({ code: grpc.status.NOT_FOUND, details: "no such thing: \u00e9", metadata: trailers });
    },
    collect(call: grpc.ServerReadableStream<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) {
      let bytes = 0;
      call.on("data", (part: Buffer) => bytes += part.length);
      call.on("end", () => done(null, Buffer.from(String(bytes)), trailers));
    },
    expand(call: grpc.ServerWritableStream<Buffer, Buffer>) {
      for (let at = 0; at < Number(call.request.toString()); at++) call.write(Buffer.from(`${at}`));
      call.end(trailers);
    },
    chat(call: Duplex) {
      // It speaks first: the client waits for that before it says anything.
      call.write(Buffer.from("welcome"));
      call.on("data", (part: Buffer) => call.write(Buffer.from(part.toString().toUpperCase())));
      call.on("end", () => call.end());
      call.on("error", () => {});
    },
  });
  return new Promise((resolve, reject) => {
    server.bindAsync(
      "127.0.0.1:0",
      grpc.ServerCredentials.createInsecure(),
      (error, port) => error ? reject(error) : resolve({ port, calls }),
    );
  });
}

Deno.test("gRPC passes: unary, errors, streams each way and both, trailers, metadata", async () => {
  const certificate = await certify("grpc", "localhost");
  if (certificate === null) return console.log("not run: openssl is not installed");
  const { port, calls } = await startReplica();
  await using _replica = calls;
  await using ingress = await testIngress({
    routes: [route("/", "echo")],
    endpoints: [endpoint("echo", port)],
    tls: { port: 0, files: [certificate], hstsS: 0, redirect: false },
  });
  const Client = grpc.makeGenericClientConstructor(SERVICE, "Echo");
  const client = new Client(
    `localhost:${ingress.httpsPort}`,
    grpc.credentials.createSsl(Buffer.from(await Deno.readTextFile(certificate.certificate))),
    // deno-lint-ignore no-explicit-any
  ) as any;
  try {
    // Unary, many at a time, of every size.
    const sizes = [0, 1, 1_000, 100_000, 1_000_000];
    const unary = (size: number) =>
      new Promise<{ reply: Buffer; head: grpc.Metadata; status: grpc.StatusObject }>(
        (resolve, reject) => {
          let head: grpc.Metadata;
          let reply: Buffer;
          const call = client.unary(Buffer.alloc(size, 7), (error: Error | null, value: Buffer) => {
            if (error) reject(error);
            reply = value;
          });
          call.on("metadata", (metadata: grpc.Metadata) => head = metadata);
          call.on("status", (status: grpc.StatusObject) => resolve({ reply, head, status }));
        },
      );
    for (const { reply, head, status } of await Promise.all(sizes.map(unary))) {
      assert(sizes.includes(reply.length));
      assertEquals(head.get("x-forwarded"), ["127.0.0.1"]);
      assertEquals([status.code, status.metadata.get("x-trailer")], [0, ["at the end"]]);
    }
    const error = await new Promise<grpc.ServiceError>((resolve) =>
      client.fail(Buffer.from("x"), (error: grpc.ServiceError) => resolve(error))
    );
    assertEquals([error.code, error.details], [grpc.status.NOT_FOUND, "no such thing: \u00e9"]);
    const collected = await new Promise<string>((resolve, reject) => {
      const call = client.collect((error: Error | null, value: Buffer) =>
        error ? reject(error) : resolve(value.toString())
      );
      for (let at = 0; at < 50; at++) call.write(Buffer.alloc(10_000));
      call.end();
    });
    assertEquals(collected, "500000");
    const expanded = await new Promise<number>((resolve, reject) => {
      let parts = 0;
      const call = client.expand(Buffer.from("300"));
      call.on("data", () => parts++);
      call.on("end", () => resolve(parts));
      call.on("error", reject);
    });
    assertEquals(expanded, 300);
    const said: string[] = [];
    await new Promise<void>((resolve, reject) => {
      const call = client.chat();
      call.on("data", (part: Buffer) => {
        said.push(part.toString());
        if (said.length < 4) call.write(Buffer.from(`word ${said.length}`));
        else call.end();
      });
      call.on("end", resolve);
      call.on("error", reject);
    });
    assertEquals(said, ["welcome", "WORD 1", "WORD 2", "WORD 3"]);
    // A client that gives up frees the replica.
    const call = client.chat();
    await new Promise((resolve) => call.once("data", resolve));
    call.on("error", () => {});
    call.cancel();
    await eventually(
      "nothing under way",
      () => [...ingress.machine.allReplicas()].every((each) => each.outstanding === 0),
    );
    assertEquals(calls.value, sizes.length);
  } finally {
    client.close();
  }
});

Deno.test("gRPC to a replica that is gone, or is none, or to nowhere, says so", async () => {
  const certificate = await certify("grpc-gone", "localhost");
  if (certificate === null) return console.log("not run: openssl is not installed");
  await using silent = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("no gRPC here", { headers: { "content-type": "text/plain" } }),
  );
  const gone = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = gone.addr;
  gone.close();
  await using ingress = await testIngress({
    routes: [route("/test.Echo/Unary", "gone"), route("/test.Echo/Fail", "web")],
    endpoints: [endpoint("gone", port), endpoint("web", silent.addr.port)],
    tls: { port: 0, files: [certificate], hstsS: 0, redirect: false },
  });
  const Client = grpc.makeGenericClientConstructor(SERVICE, "Echo");
  const client = new Client(
    `localhost:${ingress.httpsPort}`,
    grpc.credentials.createSsl(Buffer.from(await Deno.readTextFile(certificate.certificate))),
    // deno-lint-ignore no-explicit-any
  ) as any;
  try {
    const code = await new Promise<number>((resolve) =>
      client.unary(Buffer.from("x"), (error: grpc.ServiceError) => resolve(error.code))
    );
    assertEquals(code, grpc.status.UNAVAILABLE);
    const unknown = await new Promise<grpc.ServiceError>((resolve) =>
      client.chat().on("error", resolve)
    );
    assertEquals(unknown.code, grpc.status.UNIMPLEMENTED);
    assertEquals(unknown.details, "no route leads here");
    const web = await new Promise<number>((resolve) =>
      client.fail(Buffer.from("x"), (error: grpc.ServiceError) => resolve(error.code))
    );
    assert(web > 0, "an answer that is no gRPC is none");
  } finally {
    client.close();
  }
});

Deno.test("gRPC passes without TLS, too, where HTTP/2 is spoken without", async () => {
  const { port, calls } = await startReplica();
  await using _replica = calls;
  await using ingress = await testIngress({
    routes: [route("/", "echo")],
    endpoints: [endpoint("echo", port)],
    h2c: true,
  });
  const Client = grpc.makeGenericClientConstructor(SERVICE, "Echo");
  const client = new Client(
    `127.0.0.1:${ingress.httpPort}`,
    grpc.credentials.createInsecure(),
    // deno-lint-ignore no-explicit-any
  ) as any;
  try {
    const replies = await Promise.all(
      Array.from(
        { length: 50 },
        (_, at) =>
          new Promise<string>((resolve, reject) =>
            client.unary(
              Buffer.from(`call ${at}`),
              (error: Error | null, value: Buffer) =>
                error ? reject(error) : resolve(value.toString()),
            )
          ),
      ),
    );
    assertEquals(replies, Array.from({ length: 50 }, (_, at) => `call ${at}`));
  } finally {
    client.close();
  }
});
