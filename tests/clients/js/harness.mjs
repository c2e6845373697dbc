// What the TypeScript SDKs' tests stand on: the stub provider, the gateway, what the stub saw.
//
// Each test file starts its own pair, because the runner gives each file its own process.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

// What users have set must not decide where these clients connect.
for (const name of Object.keys(process.env)) {
  if (/^(OPENAI_|ANTHROPIC_)|_proxy$/i.test(name)) delete process.env[name];
}

const HERE = dirname(dirname(fileURLToPath(import.meta.url)));
const START_MS_MAX = 20_000;

export const KEY = 'rw-client-key';
export const NARROW_KEY = 'rw-narrow-key';
export const TEXT = 'Hello, wörld 🌍 "quoted"\n!';
export const THOUGHT = 'Let me think: 2+2 is «4».\n';
export const SIGNATURE = 'EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds+/=';
export const SECRET = 'EmwKAhgBEgy3va3pzix/LafPsn4aDFIT2Xlxh0L5L8rLVyIwxtE3rAFBa8cr3qpP==';
export const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
export const PDF = 'JVBERi0xLjQKJSVFT0YK';
export const WEATHER_SCHEMA = {
  type: 'object',
  properties: { city: { type: 'string' }, unit: { enum: ['c', 'f'] } },
  required: ['city'],
  additionalProperties: false,
};
export const PERSON_SCHEMA = {
  type: 'object',
  properties: { name: { type: 'string' }, age: { type: 'integer' } },
  required: ['name', 'age'],
  additionalProperties: false,
};

// The folder of the SDKs' version under test, as `run.sh` says it.
const folder = process.env.CLIENTS_JS;
assert.ok(folder, 'CLIENTS_JS must name js-current or js-old; run tests/clients/run.sh');
export const sdk = await import(join(HERE, folder, 'sdk.mjs'));

/** Waits for `listening on ADDRESS`, which both programs print first. */
function addressOf(child, stream, name) {
  return new Promise((done, fail) => {
    let said = '';
    const late = setTimeout(() => give(`${name} did not start in time:\n${said}`), START_MS_MAX);
    function give(message) {
      clearTimeout(late);
      child.kill('SIGKILL');
      fail(new Error(message));
    }
    child.on('error', (error) => give(`${name}: ${error.message}`));
    child.on('exit', (code) => give(`${name} ended with ${code}:\n${said}`));
    stream.on('data', (bytes) => {
      said += bytes;
      const found = /listening on (\S+)\n/.exec(said);
      if (!found) return;
      clearTimeout(late);
      child.removeAllListeners('exit');
      done(found[1]);
    });
  });
}

function ended(child) {
  return new Promise((done) => child.once('exit', (code) => done(code)));
}

export class Stub {
  static async start() {
    const stub = new Stub();
    const program = join(HERE, 'stub', 'provider.py');
    stub.child = spawn('python3', [program], { stdio: ['pipe', 'pipe', 'inherit'] });
    stub.address = await addressOf(stub.child, stub.child.stdout, 'the stub provider');
    return stub;
  }

  async ask(path) {
    const answer = await fetch(`http://${this.address}/_stub/${path}`, {
      signal: AbortSignal.timeout(15_000),
    });
    return answer.json();
  }

  reset() {
    return this.ask('reset');
  }

  seen() {
    return this.ask('seen');
  }

  /** The only request since the test began. */
  async last() {
    const seen = await this.seen();
    assert.equal(seen.length, 1, JSON.stringify(seen.map((r) => [r.path, r.body?.model])));
    return seen[0];
  }

  async body() {
    return (await this.last()).body;
  }

  got(count = 1) {
    return this.ask(`wait?state=got&count=${count}`);
  }

  async closed() {
    const [record] = await this.ask('wait?state=closed&count=1');
    assert.ok(record.closed, 'the connection to the provider was not closed');
    return record;
  }

  async stop() {
    this.child.stdin.end();
    await ended(this.child);
  }
}

export class Gateway {
  static async start(config, stub) {
    const gateway = new Gateway();
    const binary = resolve(process.env.RINGWAY_BIN ?? join(HERE, '../../target/debug/ringway'));
    gateway.folder = mkdtempSync(join(tmpdir(), 'ringway-clients-'));
    const path = join(gateway.folder, 'ringway.toml');
    const text = readFileSync(join(HERE, config), 'utf8')
      .replaceAll('STUB/', `${stub.address}/`)
      .replaceAll(/DIGEST\((.+?)\)/g, (_, key) => digest(key));
    writeFileSync(path, text);
    const driver = process.env.RINGWAY_DRIVER ?? 'auto';
    gateway.child = spawn(binary, ['serve', '--config', path, '--driver', driver], {
      env: { STUB_OPENAI_KEY: 'sk-stub-key', STUB_ANTHROPIC_KEY: 'sk-ant-stub-key' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    gateway.url = `http://${await addressOf(gateway.child, gateway.child.stderr, binary)}`;
    return gateway;
  }

  async stop() {
    this.child.kill('SIGTERM');
    assert.equal(await ended(this.child), 0, 'the gateway did not drain');
    rmSync(this.folder, { recursive: true });
  }
}

/** Seconds on the clock that the stub's `closed_at` is on. */
export function monotonic() {
  return Number(process.hrtime.bigint()) / 1e9;
}

export async function collect(stream) {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}

function digest(key) {
  return createHash('sha256').update(key).digest('hex');
}
