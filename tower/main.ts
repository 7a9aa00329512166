import { logger } from "../core/live/log.ts";
import { JOIN_FLAGS, runDaemon } from "../core/live/daemon.ts";
import { joinsAt } from "../core/live/join.ts";
import { MemberSeal } from "../core/live/member_seal.ts";
import { checkNetworks, startTower } from "./live/tower.ts";

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
      { name: "name", value: "NAME", default: "tower", help: "the tower's name in the cluster" },
      ...JOIN_FLAGS,
      {
        name: "conductor",
        value: "HOST[:PORT],...",
        help: "the conductor, or each of several (default: as the token says)",
      },
    ],
    async start(flags) {
      const meshOpen = flags.optional("mesh") === "open";
      // What is wrong on the command line is said at once, whether the tower has joined or not.
      const options = {
        hostname: flags.text("bind"),
        port: flags.integer("port", 0, 65_535),
        ...(flags.text("dns") === "off" ? {} : { dnsPort: flags.integer("dns", 0, 65_535) }),
        plain: flags.all("plain"),
        meshOpen,
      };
      checkNetworks(options.plain);
      const join = flags.optional("join");
      const conductor = flags.optional("conductor");
      const seal = meshOpen ? undefined : await MemberSeal.open({
        state: flags.text("state"),
        role: "tower",
        name: flags.text("name"),
        ...(join === undefined ? {} : { join }),
        ...joinsAt(conductor),
      });
      const tower = startTower({ ...options, ...(seal ? { seal } : {}) });
      logger().info("listening on {hostname}:{port}", { ...tower.address });
      if (tower.dnsAddress !== null) {
        logger().info("DNS on {hostname}:{port}", { ...tower.dnsAddress });
      }
      return {
        stop: () => {
          seal?.[Symbol.dispose]();
          return tower.stop();
        },
      };
    },
  });
}
