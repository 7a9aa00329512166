// A program without imports: what `build` makes of it runs wherever the artifact is.
Deno.serve(
  { hostname: Deno.env.get("HOST"), port: Number(Deno.env.get("PORT")) },
  () => new Response(`hello from ${Deno.env.get("REPLICA_ID")} on ${Deno.env.get("NODE")}\n`),
);
