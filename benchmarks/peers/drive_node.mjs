// How is a child of Node called? child_process.fork and its own IPC (JSON lines), with ids of our own.
import { fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const IN_FLIGHT = 64;
const WARM_UP = 300;
const MESSAGE = JSON.parse(readFileSync(new URL("message.json", import.meta.url), "utf8"));

const answer = (message) => ({ ok: true, seen: message.message_id });

function serve() {
  process.on("message", ({ number, message }) => process.send({ number, answered: answer(message) }));
  process.on("disconnect", () => process.exit(0));
}

function connect() {
  const worker = fork(fileURLToPath(import.meta.url), ["worker"]);
  const waiting = new Map();
  let last = 0;
  worker.on("message", ({ number, answered }) => {
    const resolve = waiting.get(number);
    waiting.delete(number);
    resolve(answered);
  });
  worker.on("exit", (code) => {
    console.error(`the worker ended, exit ${code}`);
    process.exit(1);
  });
  return () =>
    new Promise((resolve) => {
      waiting.set(++last, resolve);
      worker.send({ number: last, message: MESSAGE });
    });
}

async function oneAfterTheOther(call, seconds) {
  const taken = [];
  const start = performance.now();
  let before = start;
  while (before - start < seconds * 1000 || taken.length === 0) {
    await call();
    const after = performance.now();
    taken.push((after - before) * 1000);
    before = after;
  }
  return taken;
}

async function figures(call, asked) {
  const start = performance.now();
  if (asked.case === "throughput") {
    const callers = Array.from({ length: IN_FLIGHT }, () => oneAfterTheOther(call, asked.seconds));
    const counts = (await Promise.all(callers)).map((taken) => taken.length);
    const calls = counts.reduce((sum, count) => sum + count, 0);
    return { calls, seconds: (performance.now() - start) / 1000 };
  }
  const taken = (await oneAfterTheOther(call, asked.seconds)).sort((one, other) => one - other);
  const rank = (share) => taken[Math.ceil(share * taken.length) - 1];
  const seconds = (performance.now() - start) / 1000;
  return { calls: taken.length, p50_us: rank(0.5), p99_us: rank(0.99), seconds };
}

async function drive() {
  const call = connect();
  const expected = JSON.stringify(answer(MESSAGE));
  for (let count = 0; count < WARM_UP; count++) {
    const answered = JSON.stringify(await call());
    if (answered !== expected) {
      console.error(`the peer answered ${answered}, expected ${expected}`);
      process.exit(1);
    }
  }
  console.log(JSON.stringify({ ready: true, version: process.version, runtime: `V8 ${process.versions.v8}` }));
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await figures(call, JSON.parse(line))));
  }
  process.exit(0);
}

if (process.argv[2] === "worker") serve();
else await drive();
