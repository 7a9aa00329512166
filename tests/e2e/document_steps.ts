// What somebody does who tries every command that the documents name, beyond the pages that are
// followed as they stand: in a clone, on 10.0.0.1 to 10.0.0.5, with a cluster as README sets it up.

/** What is run, and what must come of it. */
export type Step =
  | {
    /** A command line as a document prints it, or one that a document speaks of. */
    readonly run: string;
    readonly says: RegExp;
    /** Its exit code; 0 where it is absent. */
    readonly code?: number;
    /** It does not end by itself: it is interrupted as soon as it says what it must say. */
    readonly lasts?: true;
    /** What stands in it for what only this cluster can know: text -> shell words. */
    readonly where?: Readonly<Record<string, string>>;
    /** It is run in a terminal, in which this is typed. */
    readonly types?: string;
    /** It needs nats-server. */
    readonly nats?: true;
  }
  | {
    /** Shell lines that make what the next commands need. */
    readonly prepare: string;
    readonly nats?: true;
  };

const PRODUCT = `
mkdir -p work/data
cat >work/product.ts <<'END'
console.log("listening; no error so far");
console.error("db: connection refused");
const ids = { trace: "0af7651916cd43dd8448eb211c80319c", span: "b7ad6b7169203331" };
console.log(JSON.stringify({ ...ids, method: "GET", route: "/basket", status: 503, ms: 12.5 }));
Deno.serve({ hostname: Deno.env.get("HOST"), port: Number(Deno.env.get("PORT")) }, () => {
  return new Response("product\\n");
});
END
service() {
  printf 'app %s\\n  namespace %s\\n  exec deno\\n' $1 $2
  printf '  args run --no-config -A product.ts\\n  cwd %s/work\\n  port %s\\n' "$PWD" $3
  printf '  replicas 2\\n  ram 64mb\\n  cpu 0.1\\n  env {\\n    TRY %s\\n  }\\n' $4
  printf '  health {\\n    check GET / 200\\n    interval 100ms\\n  }\\n'
}
product() { service product-svc shop 8100 $1; }
product 1 >shop.skr8tr
sleeper() { printf 'app %s\\n  exec /bin/sleep\\n  args 600\\n  grace 1s\\n%s\\n' "$1" "$2"; }
cat >backup.skr8tr <<'END'
app backup
  type job
  exec /bin/echo
  args backed up
END
echo '{}' >seed.json
echo words >shop.key`;

const CONDUCTOR = `
conductor() {
  deno run -A conductor/main.ts --bind 10.0.0.1 --plain 10.0.0.0/24 --tower 10.0.0.1:7772 \\
    --pubkey skrtrview.pub --state state/conductor >conductor.output 2>&1 &
  conductor=$!
  wait_until curl -sf http://10.0.0.1:7771/health
}
conductor
export SKR8TR_CONDUCTOR=10.0.0.1`;

const DAEMONS = `
skr8tr token create --role tower >tower.token
deno run -A tower/main.ts --bind 10.0.0.1 --plain 10.0.0.0/24 --join tower.token \\
  --state state/tower >tower.output 2>&1 &
at=2
for node in node-1 node-2 node-3 den; do
  [ $node = den ] || skr8tr token create --role node >$node.token
  deno run -A node/main.ts --bind 10.0.0.$at --name $node --conductor 10.0.0.1 --tower 10.0.0.1 \\
    --plain 10.0.0.0/24 --stop-replicas --state state/$node --join $node.token >$node.output 2>&1 &
  at=$((at + 1))
done
wait_until sh -c 'test $(skr8tr nodes | grep -c ready) = 4'
wait_until curl -sf http://10.0.0.1:7772/health`;

const NATS = `
for each in 1 2 3; do
  nats-server -js -sd state/nats-$each -a 10.0.0.$each -n nats-$each --cluster_name docs \\
    --cluster nats://10.0.0.$each:6222 \\
    --routes nats://10.0.0.1:6222,nats://10.0.0.2:6222,nats://10.0.0.3:6222 >nats-$each.output 2>&1 &
done
wait_until grep -q 'JetStream cluster new metadata leader' nats-1.output nats-2.output nats-3.output`;

export const STEPS: readonly Step[] = [
  {
    run: "deno install --global --config deno.json --name skr8tr --unstable-lazy-dynamic-imports " +
      "--allow-net --allow-read --allow-run=/bin/sh --allow-write=.,$HOME/.skr8tr " +
      "--allow-env=HOME,NO_COLOR,SKR8TR_CONDUCTOR,SKR8TR_KEY,SKR8TR_TOWER,TERM,USERPROFILE " +
      "cli/main.ts",
    says: /Successfully installed skr8tr/,
  },
  { prepare: `export PATH=$HOME/.deno/bin:$PATH\n${PRODUCT}` },
  { run: "skr8tr version", says: /^skr8tr \d+\.\d+\.\d+$/m },
  { run: "skr8tr help", says: /port-forward/ },
  { run: "skr8tr help completion", says: /bash\|zsh\|fish/ },
  { run: "skr8tr keygen", says: /skrtrview\.pub/ },
  { run: "skr8tr keygen --out ops.pub --key ~/.skr8tr/ops.sec", says: /ops\.pub/ },
  { prepare: CONDUCTOR },
  { run: "skr8tr token create --role node --ttl 1h > den.token", says: /known by its key/ },
  { prepare: DAEMONS },
  { run: "skr8tr ping", says: /10\.0\.0\.1:7771/ },
  { prepare: "cp ~/.skr8tr/signing.sec ~/.skr8tr/home.sec" },
  {
    run: "skr8tr context add home --conductor 10.0.0.1 --key ~/.skr8tr/home.sec",
    says: /home/,
  },
  { run: "skr8tr context use home", says: /home/ },
  { run: "skr8tr context list", says: /home +10\.0\.0\.1:7771 +[0-9a-f]{16}/ },
  { run: "skr8tr --context home status", says: /4 nodes/ },
  { run: "skr8tr --conductor 10.0.0.1,10.0.0.2,10.0.0.3 status", says: /4 nodes/ },

  { run: "skr8tr check shop.skr8tr", says: /1 app: no errors/ },
  { run: "skr8tr fmt shop.skr8tr", says: /app product-svc/ },
  { run: "skr8tr up shop.skr8tr --dry-run", says: /place product-svc\.1 on / },
  { run: "skr8tr up shop.skr8tr --wait", says: /product-svc generation 1 ready in / },
  { run: "skr8tr diff shop.skr8tr", says: /product-svc runs as the file says/ },
  { prepare: "product 2 >shop.skr8tr" },
  { run: "skr8tr rollout shop.skr8tr", says: /product-svc generation 2 ready in / },
  {
    run: "skr8tr rollout undo product-svc",
    says: /the manifest of generation 1 is deployed again/,
  },
  {
    prepare: "for try in 4 5 6 7 8; do product $try >shop.skr8tr; skr8tr up shop.skr8tr; done",
  },
  { run: "skr8tr rollback product-svc --to 7", says: /product-svc generation 9/ },
  { run: "skr8tr up --context home shop.skr8tr", says: /product-svc/ },
  { run: "skr8tr context rm home", says: /home/ },
  { run: "skr8tr scale product-svc=4", says: /product-svc scaled/ },
  { run: "skr8tr stop product-svc", says: /product-svc stopped/ },
  { run: "skr8tr start product-svc", says: /product-svc started/ },
  { run: "skr8tr down product-svc", says: /product-svc down/ },
  { prepare: "skr8tr up shop.skr8tr --wait" },
  { run: "skr8tr deck", says: /http:\/\/10\.0\.0\.1:7771\/deck#/ },

  { run: "skr8tr exec product-svc 'env | sort'", says: /^HOST=10\.0\.0\.[2-5]$/m },
  { run: "skr8tr exec product-svc/1 -- ls -l", says: /product\.ts/ },
  { run: "skr8tr exec -t product-svc bash", says: /exit/, types: "exit" },
  { run: "skr8tr exec product-svc 'cat >seed.json' <seed.json", says: /^$/ },
  { run: "skr8tr cp seed.json product-svc:data/seed.json", says: /seed\.json/ },
  { run: "skr8tr cp product-svc/1:data ./data-of-1", says: /data-of-1/ },
  { run: "skr8tr port-forward product-svc 8080", says: /8080/, lasts: true },
  { prepare: "service db default 5432 1 >db.skr8tr\nskr8tr up db.skr8tr --wait" },
  { run: "skr8tr port-forward db/0 5432:5432", says: /5432/, lasts: true },
  { run: "skr8tr top --watch", says: /product-svc/, lasts: true },
  { run: "skr8tr top product-svc --grep memory", says: /product-svc has told of no values/ },
  {
    run: "skr8tr traces product-svc --failed --since 10m",
    says: /GET \/basket +product-svc +13 ms +\d+, \d+ failed .*0af7651916cd43dd8448eb211c80319c/,
  },
  {
    run: "skr8tr traces 0af7651916cd43dd8448eb211c80319c",
    says: /GET \/basket failed +product-svc +product-svc\.\d+ /,
  },
  { run: "skr8tr describe product-svc", says: /product-svc/ },
  { run: "skr8tr describe node-1", says: /node-1/ },
  { run: "skr8tr logs product-svc --lines 20", says: /listening/ },
  { run: "skr8tr logs -f product-svc --grep error", says: /no error so far/, lasts: true },
  { run: "skr8tr logs product-svc --previous --since 1h", says: /listening/ },
  {
    run: "skr8tr logs --all --grep 'connection refused' --since 10m",
    says: /db: connection refused/,
  },
  { run: "skr8tr logs --all -f --grep error", says: /no error so far/, lasts: true },
  { run: "skr8tr dev shop.skr8tr", says: /product-svc/, lasts: true },
  { run: "skr8tr run backup.skr8tr --wait", says: /run 1 of backup succeeded/ },
  { run: "skr8tr run backup", says: /run 2 of backup/ },
  { run: "skr8tr runs backup", says: /^ +2 /m },
  { run: "skr8tr logs backup --run 1", says: /backed up/ },
  { run: "skr8tr explain replicas", says: /How many run/ },
  { run: "skr8tr explain health.interval", says: /health\.interval/ },

  { run: "skr8tr node show node-2", says: /node-2/ },
  { run: "skr8tr node cordon node-2", says: /node-2 is cordoned/ },
  { run: "skr8tr node drain node-2 --wait", says: /node-2/ },
  { run: "skr8tr node uncordon node-2", says: /node-2 takes replicas again/ },
  { run: "skr8tr rebalance", says: /rebalancing all apps/ },
  { run: "skr8tr rebalance product-svc", says: /rebalancing product-svc/ },
  {
    prepare: "sleeper store '  volume {\n    path kept\n  }' >store.skr8tr\n" +
      "skr8tr up store.skr8tr --wait",
  },
  { run: "skr8tr volume list", says: /store .*kept/ },
  { run: "skr8tr volume rm store --lost", says: /store gives up its volume/ },
  { run: "skr8tr what-if --lose node-3", says: /RAM ASKED/ },
  { run: "skr8tr what-if --add 1", says: /new-1/ },
  { run: "skr8tr what-if --add 2 --ram 8gb --cpu 4 --label zone=b", says: /new-2/ },
  {
    prepare: "sleeper blog '' >blog.skr8tr\nskr8tr up blog.skr8tr --wait\n" +
      "sleeper blog '  health {\n    check TCP\n    start-period 60s\n  }\n  port 8200' >blog.skr8tr\n" +
      "skr8tr up blog.skr8tr",
  },
  { run: "skr8tr rollout pause blog", says: /blog paused/ },
  { run: "skr8tr rollout status blog", says: /paused/ },
  { run: "skr8tr rollout resume blog", says: /blog goes on/ },

  { prepare: "for each in ann ann-2 ci; do skr8tr keygen --out $each.pub --key $each.sec; done" },
  { run: "skr8tr operator list", says: /admin/ },
  {
    run: "skr8tr operator add ann --pubkey ann.pub --role deployer --namespace shop",
    says: /ann added/,
  },
  { run: "skr8tr operator rotate ann --pubkey ann-2.pub", says: /ann has another key/ },
  { run: "skr8tr operator revoke ann", says: /ann revoked/ },
  { prepare: "skr8tr grant ci --pubkey ci.pub --role viewer" },
  { run: "skr8tr grant ci --role deployer --app product-svc --until 30d", says: /ci/ },
  {
    run: "skr8tr grant ci --take 17",
    where: {
      "17": '$(skr8tr operator list | awk \'$1 == "ci" && $4 == "deployer" { print $3 }\')',
    },
    says: /ci/,
  },
  { run: "skr8tr quota shop --replicas 40 --ram 8gb --cpu 6", says: /shop has a quota/ },
  { run: "skr8tr quota shop", says: /replicas +\d+ +40/ },
  { run: "skr8tr quota shop --none", says: /shop has no quota/ },
  {
    run: "openssl rand -hex 32 | skr8tr secret set service-token",
    says: /secret service-token set in namespace default/,
  },
  {
    run: "skr8tr secret set tls/key --namespace shop --file shop.key",
    says: /secret tls\/key set in namespace shop/,
  },
  { run: "skr8tr secret list", says: /service-token/ },
  { run: "skr8tr secret rm service-token", says: /service-token removed/ },
  { run: "skr8tr audit -f --app product-svc", says: /product-svc/, lasts: true },
  {
    run: "skr8tr audit verify --pubkey skrtrview.pub --nodes 10.0.0.2,10.0.0.3",
    says: /signed commands: all as they were written/,
  },
  { run: "skr8tr completion bash", says: /complete / },
  { run: "skr8tr completion zsh", says: /compdef/ },
  { run: "skr8tr completion fish", says: /complete -c skr8tr/ },
  { run: "skr8tr down shop.skr8tr", says: /product-svc down/ },
  { run: "skr8tr node forget den", says: /den is forgotten/ },

  { run: "skr8tr store backup state/conductor/log.db cluster.backup", says: /\d+ entries/ },
  { prepare: "kill $conductor; wait $conductor || true" },
  { run: "skr8tr store restore cluster.backup state/conductor/log.db", says: /\d+ entries/ },
  { prepare: NATS, nats: true },
  {
    run: "skr8tr store copy state/conductor/log.db nats://10.0.0.1,10.0.0.2,10.0.0.3",
    says: /\d+ entries/,
    nats: true,
  },
  { prepare: "rm cluster.backup", nats: true },
  { run: "skr8tr store backup nats://10.0.0.1 cluster.backup", says: /\d+ entries/, nats: true },
  { prepare: "rm cluster.backup", nats: true },
  {
    run: "skr8tr store backup nats://10.0.0.1,10.0.0.2,10.0.0.3 cluster.backup",
    says: /\d+ entries/,
    nats: true,
  },
  {
    run: "skr8tr store restore cluster.backup nats://10.0.0.1,10.0.0.2,10.0.0.3/again",
    says: /\d+ entries/,
    nats: true,
  },
  { prepare: "rm -r state/conductor" },
  {
    run: "skr8tr recover 10.0.0.2 10.0.0.3 --state state/conductor --pubkey skrtrview.pub",
    says: /\d+ entries from 10\.0\.0\.[23]/,
  },

  { run: "deno task sim --seed 7", says: /"violation":null/ },
  { run: "deno task sim --several --seed 7", says: /"violation":null/ },
  { run: "deno task sim --towers 3 --seed 7", says: /"violation":null/ },
  { run: "deno task cluster --help", says: /--shape nine\|five/ },
  { run: "deno task compile --help", says: /DENORT_BIN/ },
];
