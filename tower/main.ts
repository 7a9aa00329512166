import { logger } from "../core/live/log.ts";
import { runDaemon } from "../core/live/daemon.ts";
import { startTower } from "./live/tower.ts";

if (import.meta.main) {
  await runDaemon({
    name: "tower",
    purpose: "says who is where: registry, watch stream, DNS",
    flags: [
      { name: "port", value: "PORT", default: "7772", help: "UDP and TCP port; 0 for a free one" },
      {
        name: "dns",
        value: "PORT",
        default: "7753",
        help: "UDP and TCP port of DNS; 0 for a free one, off for none",
      },
      { name: "plain", value: "CIDR", repeat: true, help: "network that may read unsealed" },
    ],
    start(flags) {
      const tower = startTower({
        hostname: flags.text("bind"),
        port: flags.integer("port", 0, 65_535),
        ...(flags.text("dns") === "off" ? {} : { dnsPort: flags.integer("dns", 0, 65_535) }),
        plain: flags.all("plain"),
        meshOpen: flags.optional("mesh") === "open",
      });
      logger().info("listening on {hostname}:{port}", { ...tower.address });
      if (tower.dnsAddress !== null) {
        logger().info("DNS on {hostname}:{port}", { ...tower.dnsAddress });
      }
      return Promise.resolve({ stop: () => tower.stop() });
    },
  });
}
