// Asks another app, wherever its replicas are just now.
import { serve, Tower } from "../../mod.ts";

const tower = new Tower();
serve(async () => {
  const response = await tower.fetch("answer", "/");
  return new Response(`asked: ${await response.text()}`);
});
