// The OpenAI SDK for TypeScript through the gateway, to a provider of either wire.

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  Gateway, KEY, NARROW_KEY, PDF, PERSON_SCHEMA, PNG, SECRET, SIGNATURE, Stub, TEXT, THOUGHT,
  WEATHER_SCHEMA, collect, monotonic, sdk,
} from './harness.mjs';

const { OpenAI } = sdk;
const MODELS = { openai: 'gpt-4o', anthropic: 'claude-sonnet-4-5' };
const HELLO = [{ role: 'user', content: 'hello' }];
const TOOLS = [
  {
    type: 'function',
    function: { name: 'get_weather', description: 'Weather', parameters: WEATHER_SCHEMA },
  },
  { type: 'function', function: { name: 'now', description: 'The time' } },
];

let stub;
let gateway;
let client;

before(async () => {
  stub = await Stub.start();
  gateway = await Gateway.start('gateway.toml', stub);
  client = connect();
});
after(async () => {
  await gateway?.stop();
  await stub?.stop();
});
beforeEach(() => stub.reset());

function connect(more = {}) {
  const base = { baseURL: `${gateway.url}/v1`, apiKey: KEY, maxRetries: 0, timeout: 15_000 };
  return new OpenAI({ ...base, ...more });
}

/** `chat.completions`, where the version has the stream and parse helpers. */
function helper() {
  const found = client.chat.completions;
  return typeof found.stream === 'function' ? found : client.beta.chat.completions;
}

function params(to, script, more = {}) {
  return { model: `${MODELS[to]}--${script}`, messages: HELLO, ...more };
}

function create(to, script, more = {}, options = {}) {
  return client.chat.completions.create(params(to, script, more), options);
}

async function streamed(to, script, more = {}, options = {}) {
  return collect(await create(to, script, { ...more, stream: true }, options));
}

function textOf(chunks) {
  return chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');
}

/** Tool calls put together from a stream as agents do it: by index. */
function callsOf(chunks) {
  const calls = [];
  for (const part of chunks.flatMap((c) => c.choices[0]?.delta.tool_calls ?? [])) {
    calls[part.index] ??= { id: '', type: 'function', function: { name: '', arguments: '' } };
    const call = calls[part.index];
    call.id += part.id ?? '';
    call.function.name += part.function?.name ?? '';
    call.function.arguments += part.function?.arguments ?? '';
  }
  return calls;
}

for (const to of Object.keys(MODELS)) {
  describe(`openai ${sdk.openaiVersion} to a provider of the ${to} wire`, () => {
    test('ni1 text whole arrives', async () => {
      const answer = await create(to, 'text');
      assert.equal(answer.choices[0].message.content, TEXT);
      assert.equal(answer.choices[0].finish_reason, 'stop');
      assert.equal(answer.model, `${MODELS[to]}--text`);
      assert.equal(answer.usage.total_tokens, 26);
    });

    test('ni11 text streamed arrives without usage that was not asked for', async () => {
      const chunks = await streamed(to, 'text');
      assert.equal(textOf(chunks), TEXT);
      assert.ok(chunks.every((chunk) => chunk.choices.length === 1 && !chunk.usage));
      assert.equal(chunks.at(-1).choices[0].finish_reason, 'stop');
      assert.equal(new Set(chunks.map((chunk) => chunk.id)).size, 1);
    });

    test('ni11 usage asked for is one last chunk without choices', async () => {
      const chunks = await streamed(to, 'cached', { stream_options: { include_usage: true } });
      assert.equal(chunks.filter((chunk) => chunk.usage).length, 1);
      const { choices, usage } = chunks.at(-1);
      assert.deepEqual(choices, []);
      assert.equal(usage.prompt_tokens, 1387);
      assert.equal(usage.prompt_tokens_details.cached_tokens, 1370);
      assert.equal(usage.total_tokens, 2261);
    });

    test('stream helper accumulates text and usage', async () => {
      const runner = helper().stream(params(to, 'text', {
        stream_options: { include_usage: true },
      }));
      const parts = [];
      runner.on('content', (part) => parts.push(part));
      const final = await runner.finalChatCompletion();
      assert.equal(parts.join(''), TEXT);
      assert.equal(final.choices[0].message.content, TEXT);
      assert.equal((await runner.totalUsage()).total_tokens, 26);
    });

    test('stream helper accumulates parallel tools', async () => {
      const final = await helper().stream(params(to, 'tools', { tools: TOOLS }))
        .finalChatCompletion();
      const calls = final.choices[0].message.tool_calls;
      assert.deepEqual(calls.map((c) => JSON.parse(c.function.arguments).city), ['Paris', 'Rome']);
      assert.equal(final.choices[0].finish_reason, 'tool_calls');
    });

    for (const stream of [false, true]) {
      test(`lg4 to6 tool and its second turn, ${stream ? 'streamed' : 'whole'}`, async () => {
        let history;
        if (stream) {
          const chunks = await streamed(to, 'tool', { tools: TOOLS });
          assert.equal(chunks.at(-1).choices[0].finish_reason, 'tool_calls');
          history = { role: 'assistant', content: textOf(chunks), tool_calls: callsOf(chunks) };
        } else {
          history = (await create(to, 'tool', { tools: TOOLS })).choices[0].message;
        }
        assert.equal(history.content, 'I will look.');
        const [call] = history.tool_calls;
        assert.deepEqual(JSON.parse(call.function.arguments), { city: 'Paris', unit: 'c' });
        const messages = [...HELLO, history,
          { role: 'tool', tool_call_id: call.id, content: 'sunny' }];
        const second = await create(to, 'tool', { tools: TOOLS, messages });
        assert.equal(second.choices[0].message.content, `Results: ${call.id}=sunny.`);
      });
    }

    test('a6 parallel tools and their results in another order', async () => {
      const chunks = await streamed(to, 'tools', { tools: TOOLS });
      const calls = callsOf(chunks);
      assert.deepEqual(calls.map((c) => JSON.parse(c.function.arguments).city), ['Paris', 'Rome']);
      const messages = [...HELLO, { role: 'assistant', content: null, tool_calls: calls },
        { role: 'tool', tool_call_id: calls[1].id, content: 'rain' },
        { role: 'tool', tool_call_id: calls[0].id, content: 'sun' }];
      const second = await create(to, 'tools', { tools: TOOLS, messages });
      assert.equal(second.choices[0].message.content,
        `Results: ${calls[1].id}=rain | ${calls[0].id}=sun.`);
    });

    test('a7 tool without arguments has an empty object', async () => {
      const [call] = callsOf(await streamed(to, 'noargs', { tools: TOOLS }));
      assert.deepEqual(call.function, { name: 'now', arguments: '{}' });
    });

    test('ni14 pk8 image and pdf', async () => {
      const url = `data:image/png;base64,${PNG}`;
      const messages = [{ role: 'user', content: [
        { type: 'image_url', image_url: { url } },
        { type: 'image_url', image_url: { url: 'https://example.com/a.png' } },
        { type: 'file', file: { file_data: `data:application/pdf;base64,${PDF}`,
          filename: 'a.pdf' } },
        { type: 'text', text: 'what is this?' },
      ] }];
      await create(to, 'text', { messages });
      const sent = (await stub.body()).messages;
      if (to === 'openai') return assert.deepEqual(sent, messages);
      const [image, remote, document] = sent[0].content;
      assert.deepEqual(image.source, { type: 'base64', media_type: 'image/png', data: PNG });
      assert.deepEqual(remote.source, { type: 'url', url: 'https://example.com/a.png' });
      assert.deepEqual(document.source,
        { type: 'base64', media_type: 'application/pdf', data: PDF });
    });

    test('structured output parse helper', async () => {
      const answer = await helper().parse(params(to, 'json', { response_format: {
        type: 'json_schema',
        json_schema: { name: 'person', strict: true, schema: PERSON_SCHEMA },
      } }));
      assert.deepEqual(JSON.parse(answer.choices[0].message.content), { name: 'Ada', age: 36 });
      const sent = await stub.body();
      const asked = to === 'openai' ? sent.response_format.json_schema : sent.output_config.format;
      assert.deepEqual(asked.schema.required, ['name', 'age']);
    });

    const classes = [
      ['err400', 'BadRequestError', 400], ['err401', 'AuthenticationError', 401],
      ['err403', 'PermissionDeniedError', 403], ['err404', 'NotFoundError', 404],
      ['err429', 'RateLimitError', 429], ['err500', 'InternalServerError', 500],
      ['err529', 'InternalServerError', 529],
    ];
    for (const [script, name, status] of classes) {
      test(`f4 f6 ${script} is raised as ${name}`, async () => {
        for (const stream of [false, true]) {
          await assert.rejects(create(to, script, { stream }), (error) => {
            assert.ok(error instanceof OpenAI[name], String(error));
            assert.equal(error.status, status);
            assert.ok(error.error.message);
            return true;
          });
        }
        assert.equal((await stub.seen()).length, 2);
      });
    }

    test('f1 rate limit carries retry-after', async () => {
      await assert.rejects(create(to, 'err429'), (error) => {
        const headers = new Headers(error.headers);
        assert.equal(headers.get('retry-after'), '7');
        assert.equal(headers.get('x-ratelimit-remaining-requests'), '0');
        assert.equal(error.code, 'rate_limit_exceeded');
        return true;
      });
    });

    test('flaky provider is retried by the client', async () => {
      const answer = await create(to, 'flaky', {}, { maxRetries: 1 });
      assert.equal(answer.choices[0].message.content, TEXT);
      const [first, second] = await stub.seen();
      // Without `retry-after-ms` it waits 375 ms at least.
      assert.ok(second.at - first.at < 0.3);
    });

    test('d5 d8 error within a stream raises', async () => {
      let seen = '';
      await assert.rejects(async () => {
        for await (const chunk of await create(to, 'inband', { stream: true })) {
          seen += chunk.choices[0].delta.content ?? '';
        }
      }, (error) => {
        assert.ok(error instanceof OpenAI.APIError, String(error));
        assert.match(JSON.stringify(error.error ?? error.message), /Overloaded in the middle/);
        return true;
      });
      assert.equal(seen, 'Hello');
    });

    for (const [script, told] of [['inband', /in the middle/], ['cut', /ended early/]]) {
      test(`d5 d7 slow reader gets all that came and the error: ${script}`, async () => {
        let seen = '';
        await assert.rejects(async () => {
          for await (const chunk of await create(to, script, { stream: true })) {
            await sleep(10);
            seen += chunk.choices[0].delta.content ?? '';
          }
        }, (error) => {
          assert.match(JSON.stringify(error.error ?? error.message), told);
          return true;
        });
        assert.equal(seen, 'Hello');
      });
    }

    for (const script of ['cut', 'eof', 'cuttool']) {
      test(`d1 d4 stream that ends early raises: ${script}`, async () => {
        let finished = false;
        await assert.rejects(async () => {
          for await (const chunk of await create(to, script, { stream: true, tools: TOOLS })) {
            finished ||= chunk.choices[0].finish_reason != null;
          }
        }, OpenAI.APIError);
        assert.equal(finished, false);
      });
    }

    test('d10 page of another program is a 502', async () => {
      await assert.rejects(create(to, 'html'), (error) => error.status === 502);
    });

    test('g1 cancel amid a stream closes upstream', async () => {
      const stream = await create(to, 'slow', { stream: true });
      for await (const chunk of stream) if (chunk.choices[0].delta.content) break;
      const closed = monotonic();
      assert.ok((await stub.closed()).closed_at - closed < 0.5);
      assert.equal((await stub.seen()).length, 1);
    });

    for (const stream of [false, true]) {
      test(`g2 g3 cancel before the first byte closes upstream, ${stream}`, async () => {
        const abort = new AbortController();
        const pending = create(to, 'hang', { stream },
          { signal: abort.signal, maxRetries: 2 });
        const refused = assert.rejects(pending, OpenAI.APIUserAbortError);
        await stub.got();
        abort.abort();
        const closed = monotonic();
        await refused;
        assert.ok((await stub.closed()).closed_at - closed < 0.5);
        assert.equal((await stub.seen()).length, 1);
      });
    }
  });
}

describe(`openai ${sdk.openaiVersion} and thinking of an Anthropic provider`, () => {
  const more = { tools: TOOLS, reasoning_effort: 'medium' };

  async function secondTurn(script, message) {
    const [call] = message.tool_calls;
    await stub.reset();
    const messages = [...HELLO, message,
      { role: 'tool', tool_call_id: call.id, content: 'sunny' }];
    const final = await create('anthropic', script, { ...more, messages });
    assert.equal(final.choices[0].message.content, `Results: ${call.id}=sunny.`);
    return (await stub.body()).messages[1].content;
  }

  test('pk7 lg5 reasoning_details carry the signature back, whole', async () => {
    const { message } = (await create('anthropic', 'redactedtool', more)).choices[0];
    assert.equal(message.reasoning_content, THOUGHT);
    const [thinking, redacted] = await secondTurn('redactedtool', message);
    assert.deepEqual(thinking, { type: 'thinking', thinking: THOUGHT, signature: SIGNATURE });
    assert.deepEqual(redacted, { type: 'redacted_thinking', data: SECRET });
  });

  test('pk7 lg5 fragments put together by index carry the signature back', async () => {
    const chunks = await streamed('anthropic', 'thinktool', more);
    const details = [];
    for (const part of chunks.flatMap((c) => c.choices[0]?.delta.reasoning_details ?? [])) {
      details[part.index] ??= { type: part.type, index: part.index };
      for (const name of ['text', 'signature', 'data', 'format']) {
        if (part[name]) details[part.index][name] = (details[part.index][name] ?? '') + part[name];
      }
    }
    assert.equal(details[0].format, 'anthropic-claude-v1');
    const message = { role: 'assistant', content: textOf(chunks), tool_calls: callsOf(chunks),
      reasoning_details: details };
    const [thinking] = await secondTurn('thinktool', message);
    assert.deepEqual(thinking, { type: 'thinking', thinking: THOUGHT, signature: SIGNATURE });
  });

  test('stream helper keeps only the last fragment, and that is still accepted', async () => {
    const final = await helper().stream(params('anthropic', 'thinktool', more))
      .finalChatCompletion();
    const [thinking] = await secondTurn('thinktool', final.choices[0].message);
    assert.equal(thinking.type, 'thinking');
    assert.equal(thinking.signature, SIGNATURE);
  });

  test('pk5 pk7 content_blocks when compliance is off', async () => {
    const options = { headers: { 'x-portkey-strict-open-ai-compliance': 'false' } };
    const { message } = (await create('anthropic', 'thinktool', more, options)).choices[0];
    assert.deepEqual(message.content_blocks.map((b) => b.type), ['thinking', 'text']);
    const history = { role: 'assistant', content: null, tool_calls: message.tool_calls,
      content_blocks: message.content_blocks };
    const [thinking] = await secondTurn('thinktool', history);
    assert.deepEqual(thinking, { type: 'thinking', thinking: THOUGHT, signature: SIGNATURE });
  });

  test('provider that refuses reasoning members never sees them', async () => {
    const { message } = (await create('anthropic', 'think', { reasoning_effort: 'low' }))
      .choices[0];
    const messages = [...HELLO, message, { role: 'user', content: 'so?' }];
    await client.chat.completions.create({ model: 'strict/gpt-4o--text', messages });
    const sent = (await stub.seen()).at(-1).body.messages[1];
    assert.equal(sent.reasoning_details, undefined);
    assert.equal(sent.content, 'Four.');
  });
});

describe(`openai ${sdk.openaiVersion} and the gateway itself`, () => {
  for (const suffix of ['', '/v1', '/v1/v1']) {
    test(`pk1 base url ending in "${suffix}"`, async () => {
      const other = connect({ baseURL: gateway.url + suffix });
      const answer = await other.chat.completions.create(params('openai', 'text'));
      assert.equal(answer.choices[0].message.content, TEXT);
    });
  }

  test('pk2 portkey header outranks a junk bearer', async () => {
    const other = connect({ apiKey: 'OPENAI_API_KEY',
      defaultHeaders: { 'x-portkey-api-key': KEY } });
    await other.chat.completions.create(params('anthropic', 'text'));
    const { headers } = await stub.last();
    assert.equal(headers['x-api-key'], 'sk-ant-stub-key');
    assert.equal(headers.authorization, undefined);
    assert.equal(headers['x-portkey-api-key'], undefined);
  });

  test('pk3 slug and provider header', async () => {
    for (const slug of ['anthropic', '@anthropic']) {
      const other = connect({ defaultHeaders: { 'x-portkey-provider': slug } });
      await other.chat.completions.create({ model: 'some--text', messages: HELLO });
    }
    await client.chat.completions.create({ model: '@anthropic/some--text', messages: HELLO });
    const seen = await stub.seen();
    assert.deepEqual(seen.map((r) => r.body.model), ['some--text', 'some--text', 'some--text']);
    assert.ok(seen.every((r) => r.path === '/anthropic/v1/messages'));
  });

  test('wrong key and unknown model', async () => {
    await assert.rejects(connect({ apiKey: 'rw-wrong' }).chat.completions.create(
      params('openai', 'text')), OpenAI.AuthenticationError);
    await assert.rejects(create('openai', 'text', { model: 'fasst' }), (error) => {
      assert.ok(error instanceof OpenAI.NotFoundError);
      assert.match(error.message, /fasst/);
      assert.match(error.message, /fast/);
      return true;
    });
    assert.deepEqual(await stub.seen(), []);
  });

  test('models list and retrieve', async () => {
    const ids = (await collect(client.models.list())).map((found) => found.id);
    assert.ok(ids.includes('fast') && ids.includes('vertex_ai/gemini-2.5-pro-ca'));
    for (const id of ids) assert.equal((await client.models.retrieve(id)).id, id);
    const narrow = await collect(connect({ apiKey: NARROW_KEY }).models.list());
    assert.deepEqual(narrow.map((found) => found.id), ['fast']);
    await assert.rejects(client.models.retrieve('nope'), OpenAI.NotFoundError);
  });
});
