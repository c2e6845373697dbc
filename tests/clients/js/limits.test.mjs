// Refusals of the gateway's own, as the TypeScript SDKs raise them, and whether they try again.

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';

import { Gateway, Stub, TEXT, monotonic, sdk } from './harness.mjs';

const { OpenAI, Anthropic } = sdk;
const MODELS = { openai: 'gpt-4o', anthropic: 'claude-sonnet-4-5' };
const HELLO = [{ role: 'user', content: 'hello' }];
// The SDKs' own first wait is half a second at most: who waits longer does as it was told.
const TOLD_SECONDS = 0.9;

let stub;
let gateway;

before(async () => {
  stub = await Stub.start();
  gateway = await Gateway.start('limited.toml', stub);
});
after(async () => {
  await gateway?.stop();
  await stub?.stop();
});
beforeEach(() => stub.reset());

/** One SDK's client that tries three times more, and what its tries brought. */
class Watched {
  statuses = [];
  waits = [];
  onRefusal = () => {};

  constructor(Sdk, key, more = {}) {
    this.Sdk = Sdk;
    let came;
    this.client = new Sdk({
      baseURL: Sdk === OpenAI ? `${gateway.url}/v1` : gateway.url,
      apiKey: key,
      maxRetries: 3,
      timeout: 15_000,
      fetch: async (...asked) => {
        if (came !== undefined) this.waits.push(monotonic() - came);
        const answer = await fetch(...asked);
        came = monotonic();
        this.statuses.push(answer.status);
        if (answer.status !== 200) this.onRefusal();
        return answer;
      },
      ...more,
    });
  }

  create(to, script = 'text', more = {}) {
    const asked = { model: `${MODELS[to]}--${script}`, messages: HELLO, max_tokens: 100, ...more };
    return this.Sdk === OpenAI
      ? this.client.chat.completions.create(asked)
      : this.client.messages.create(asked);
  }

  textOf(answer) {
    return this.Sdk === OpenAI ? answer.choices[0].message.content : answer.content[0].text;
  }

  /** That a request is refused as this class, after one try, and nothing went to the provider. */
  async refuses(to, more, name, check) {
    await assert.rejects(this.create(to, 'text', more), (error) => {
      assert.ok(error instanceof this.Sdk[name], String(error));
      check(error);
      return true;
    });
    assert.equal(this.statuses.length, 1);
    assert.deepEqual(await stub.seen(), []);
  }
}

for (const [name, Sdk] of [['openai', OpenAI], ['anthropic', Anthropic]]) {
  for (const to of Object.keys(MODELS)) {
    describe(`${name} ${sdk[`${name}Version`]} to a provider of the ${to} wire`, () => {
      test('place that is taken is waited for as long as told', async () => {
        const holder = new Watched(Sdk, 'rw-one-at-a-time');
        const running = await holder.create(to, 'slow', { stream: true });
        const waiting = new Watched(Sdk, 'rw-one-at-a-time');
        // Once it was refused the place becomes free.
        waiting.onRefusal = () => running.controller.abort();
        assert.equal(waiting.textOf(await waiting.create(to)), TEXT);
        assert.equal(waiting.statuses.pop(), 200);
        assert.deepEqual([...new Set(waiting.statuses)], [429]);
        assert.ok(Math.min(...waiting.waits) >= TOLD_SECONDS, String(waiting.waits));
      });

      for (const stream of [false, true]) {
        const kind = stream ? 'stream' : 'whole';

        test(`request that can never fit is not tried again: ${kind}`, async () => {
          const watched = new Watched(Sdk, 'rw-few-tokens');
          await watched.refuses(to, { stream }, 'RateLimitError', (error) => {
            assert.equal(error.status, 429);
          });
        });

        test(`budget that is gone is told in its own words and not tried again: ${kind}`, async () => {
          const watched = new Watched(Sdk, 'rw-spent');
          const raised = Sdk === OpenAI ? 'RateLimitError' : 'APIError';
          await watched.refuses(to, { stream }, raised, (error) => {
            assert.match(error.message, /per day/);
            if (Sdk === OpenAI) {
              const said = [error.status, error.type, error.code];
              assert.deepEqual(said, [429, 'insufficient_quota', 'insufficient_quota']);
            } else {
              assert.equal(error.status, 402);
              assert.equal(error.error.error.type, 'billing_error');
            }
          });
        });

        for (const [key, word] of [['rw-canada', 'residency'], ['rw-other-tier', 'tier']]) {
          test(`ni9 ni10 what a policy forbids is a permission denied error: ${key}, ${kind}`, async () => {
            const watched = new Watched(Sdk, key);
            await watched.refuses(to, { stream }, 'PermissionDeniedError', (error) => {
              assert.ok(error.message.includes(word), error.message);
            });
          });
        }

        test(`ni8 tier that nobody has is a bad request error: ${kind}`, async () => {
          const watched = new Watched(Sdk, 'rw-one-at-a-time');
          const asked = { stream, privacy_tier: 'eu' };
          await watched.refuses(to, asked, 'BadRequestError', (error) => {
            assert.match(error.message, /known: provider_api/);
          });
        });
      }
    });
  }

  test(`${name}: rate that is used up is a rate limit error`, async () => {
    const watched = new Watched(Sdk, 'rw-one-a-minute', { maxRetries: 0 });
    for (const stream of [false, true]) {
      await assert.rejects(async () => {
        // The first request within the minute is served, whichever test sends it.
        await watched.create('openai');
        await watched.create('openai', 'text', { stream });
      }, (error) => {
        assert.ok(error instanceof Sdk.RateLimitError, String(error));
        const headers = new Headers(error.headers);
        const seconds = Number(headers.get('retry-after'));
        assert.ok(seconds >= 1 && seconds <= 61, String(seconds));
        assert.equal(headers.get('x-should-retry'), null);
        const left = Sdk === OpenAI
          ? 'x-ratelimit-remaining-requests' : 'anthropic-ratelimit-requests-remaining';
        assert.equal(headers.get(left), '0');
        assert.match(error.message, /requests per minute of this key/);
        return true;
      });
    }
  });

  test(`${name}: endpoint with state that wants leave is a permission denied error`, async () => {
    const watched = new Watched(Sdk, 'rw-one-at-a-time');
    const client = Sdk === OpenAI ? watched.client : watched.client.beta;
    await assert.rejects(async () => { await client.files.list(); }, (error) => {
      assert.ok(error instanceof Sdk.PermissionDeniedError, String(error));
      assert.match(error.message, /relay = \[\\?"files\\?"\]/);
      return true;
    });
    assert.deepEqual(watched.statuses, [403]);
    assert.deepEqual(await stub.seen(), []);
  });
}
