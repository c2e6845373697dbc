// The Anthropic SDK for TypeScript through the gateway, to a provider of either wire.

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  Gateway, KEY, NARROW_KEY, PDF, PERSON_SCHEMA, PNG, SECRET, SIGNATURE, Stub, TEXT, THOUGHT,
  WEATHER_SCHEMA, collect, monotonic, sdk,
} from './harness.mjs';

const { Anthropic } = sdk;
const MODELS = { anthropic: 'claude-sonnet-4-5', openai: 'gpt-5' };
const HELLO = [{ role: 'user', content: 'hello' }];
const TOOLS = [
  { name: 'get_weather', description: 'Weather', input_schema: WEATHER_SCHEMA },
  { name: 'now', description: 'The time', input_schema: { type: 'object' } },
];
const THINKING = { type: 'enabled', budget_tokens: 4000 };

let stub;
let gateway;
let callers;
let client;

before(async () => {
  stub = await Stub.start();
  gateway = await Gateway.start('gateway.toml', stub);
  callers = await Gateway.start('callers.toml', stub);
  client = connect();
});
after(async () => {
  await callers?.stop();
  await gateway?.stop();
  await stub?.stop();
});
beforeEach(() => stub.reset());

function connect(more = {}) {
  const base = { baseURL: gateway.url, apiKey: KEY, maxRetries: 0, timeout: 15_000 };
  return new Anthropic({ ...base, ...more });
}

function params(to, script, more = {}) {
  return { model: `${MODELS[to]}--${script}`, messages: HELLO, max_tokens: 8000, ...more };
}

function create(to, script, more = {}, options = {}) {
  return client.messages.create(params(to, script, more), options);
}

/** The whole message, or the one that the stream helper puts together. */
function ask(stream, to, script, more = {}) {
  if (!stream) return create(to, script, more);
  return client.messages.stream(params(to, script, more)).finalMessage();
}

function answered(message, ...results) {
  const blocks = results.map(([id, content]) => ({ type: 'tool_result', tool_use_id: id, content }));
  return [...HELLO, { role: 'assistant', content: message.content },
    { role: 'user', content: blocks }];
}

for (const to of Object.keys(MODELS)) {
  describe(`anthropic ${sdk.anthropicVersion} to a provider of the ${to} wire`, () => {
    test('ni1 text whole arrives', async () => {
      const answer = await create(to, 'text');
      assert.deepEqual(answer.content.map((block) => block.type), ['text']);
      assert.equal(answer.content[0].text, TEXT);
      assert.equal(answer.stop_reason, 'end_turn');
      assert.equal(answer.usage.input_tokens, 17);
      assert.equal(answer.usage.output_tokens, 9);
    });

    test('text streamed events are in order', async () => {
      const events = await collect(await create(to, 'text', { stream: true }));
      const kinds = events.map((event) => event.type).filter((type) => type !== 'ping');
      assert.deepEqual(kinds, ['message_start', 'content_block_start',
        ...Array(5).fill('content_block_delta'), 'content_block_stop', 'message_delta',
        'message_stop']);
    });

    test('lg3 stream helper: text events and final message', async () => {
      const stream = client.messages.stream(params(to, 'text'));
      const parts = [];
      stream.on('text', (part) => parts.push(part));
      const final = await stream.finalMessage();
      assert.equal(parts.length, 5);
      assert.equal(parts.join(''), TEXT);
      assert.equal(final.content[0].text, TEXT);
      assert.equal(await stream.finalText(), TEXT);
      assert.equal(final.usage.output_tokens, 9);
    });

    for (const stream of [false, true]) {
      const how = stream ? 'streamed' : 'whole';

      test(`c1 c8 usage tells cached tokens apart, ${how}`, async () => {
        const { usage } = await ask(stream, to, 'cached');
        assert.equal(usage.input_tokens, 17);
        assert.equal(usage.cache_read_input_tokens, 1370);
        assert.equal(usage.output_tokens, 874);
      });

      test(`o8 stop reasons, ${how}`, async () => {
        assert.equal((await ask(stream, to, 'length')).stop_reason, 'max_tokens');
        assert.equal((await ask(stream, to, 'refusal')).stop_reason, 'refusal');
      });

      test(`lg4 to6 to8 tool and its second turn, ${how}`, async () => {
        const first = await ask(stream, to, 'tool', { tools: TOOLS });
        assert.equal(first.stop_reason, 'tool_use');
        const [text, call] = first.content;
        assert.equal(text.text, 'I will look.');
        assert.deepEqual(call.input, { city: 'Paris', unit: 'c' });
        const second = await create(to, 'tool',
          { tools: TOOLS, messages: answered(first, [call.id, 'sunny']) });
        assert.equal(second.content[0].text, `Results: ${call.id}=sunny.`);
      });

      test(`a3 a5 parallel tools and their results, ${how}`, async () => {
        const first = await ask(stream, to, 'tools', { tools: TOOLS });
        const [one, two] = first.content;
        assert.deepEqual([one.input.city, two.input.city], ['Paris', 'Rome']);
        const second = await create(to, 'tools',
          { tools: TOOLS, messages: answered(first, [two.id, 'rain'], [one.id, 'sun']) });
        assert.equal(second.content[0].text, `Results: ${two.id}=rain | ${one.id}=sun.`);
      });

      test(`a7 tool without arguments has an empty object, ${how}`, async () => {
        const first = await ask(stream, to, 'noargs', { tools: TOOLS });
        assert.deepEqual(first.content[0].input, {});
      });
    }

    test('a3 each tool block is reported once, by its own name', async () => {
      const stream = client.messages.stream(params(to, 'tools', { tools: TOOLS }));
      const cities = [];
      stream.on('contentBlock', (block) => cities.push(block.input.city));
      await stream.finalMessage();
      assert.deepEqual(cities, ['Paris', 'Rome']);
    });

    test('ni14 pk8 image and pdf', async () => {
      const messages = [{ role: 'user', content: [
        { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } },
        { type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } },
        { type: 'document', title: 'a.pdf',
          source: { type: 'base64', media_type: 'application/pdf', data: PDF } },
        { type: 'text', text: 'what is this?' },
      ] }];
      await create(to, 'text', { messages });
      const sent = (await stub.body()).messages;
      if (to === 'anthropic') return assert.deepEqual(sent, messages);
      assert.deepEqual(sent[0].content, [
        { type: 'image_url', image_url: { url: `data:image/png;base64,${PNG}` } },
        { type: 'image_url', image_url: { url: 'https://example.com/a.png' } },
        { type: 'file', file: { file_data: `data:application/pdf;base64,${PDF}`,
          filename: 'a.pdf' } },
        { type: 'text', text: 'what is this?' },
      ]);
    });

    test('structured output', async () => {
      const answer = await create(to, 'json',
        { output_config: { format: { type: 'json_schema', schema: PERSON_SCHEMA } } });
      assert.deepEqual(JSON.parse(answer.content[0].text), { name: 'Ada', age: 36 });
      const sent = await stub.body();
      const asked = to === 'openai' ? sent.response_format.json_schema : sent.output_config.format;
      assert.deepEqual(asked.schema, PERSON_SCHEMA);
    });

    const classes = [
      ['err400', 'BadRequestError', 400, 'invalid_request_error'],
      ['err401', 'AuthenticationError', 401, 'authentication_error'],
      ['err403', 'PermissionDeniedError', 403, 'permission_error'],
      ['err404', 'NotFoundError', 404, 'not_found_error'],
      ['err429', 'RateLimitError', 429, 'rate_limit_error'],
      ['err500', 'InternalServerError', 500, 'api_error'],
      ['err503', 'InternalServerError', 503, 'overloaded_error'],
    ];
    for (const [script, name, status, type] of classes) {
      test(`f4 f6 ${script} is raised as ${name}`, async () => {
        for (const stream of [false, true]) {
          await assert.rejects(create(to, script, { stream }), (error) => {
            assert.ok(error instanceof Anthropic[name], String(error));
            assert.equal(error.status, status);
            assert.equal(error.error.error.type, type);
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
        assert.equal(headers.get('anthropic-ratelimit-requests-remaining'), '0');
        return true;
      });
    });

    test('flaky provider is retried by the client', async () => {
      const answer = await create(to, 'flaky', {}, { maxRetries: 1 });
      assert.equal(answer.content[0].text, TEXT);
      const [first, second] = await stub.seen();
      // Without `retry-after-ms` it waits 375 ms at least.
      assert.ok(second.at - first.at < 0.3);
    });

    test('d5 d8 error within a stream raises', async () => {
      let seen = '';
      const stream = client.messages.stream(params(to, 'inband'));
      stream.on('text', (part) => { seen += part; });
      await assert.rejects(stream.finalMessage(), (error) => {
        assert.ok(error instanceof Anthropic.APIError, String(error));
        assert.match(JSON.stringify(error.error ?? error.message), /Overloaded in the middle/);
        return true;
      });
      assert.equal(seen, 'Hello');
    });

    for (const [script, told] of [['inband', /in the middle/], ['cut', /ended early/]]) {
      test(`d5 d7 slow reader gets all that came and the error: ${script}`, async () => {
        let seen = '';
        await assert.rejects(async () => {
          for await (const event of await create(to, script, { stream: true })) {
            await sleep(10);
            seen += event.delta?.text ?? '';
          }
        }, (error) => {
          assert.match(JSON.stringify(error.error ?? error.message), told);
          return true;
        });
        assert.equal(seen, 'Hello');
      });
    }

    for (const script of ['cut', 'eof', 'cuttool']) {
      test(`d1 d7 stream that ends early raises: ${script}`, async () => {
        const kinds = [];
        await assert.rejects(async () => {
          for await (const event of await create(to, script, { stream: true, tools: TOOLS })) {
            kinds.push(event.type);
          }
        }, Anthropic.APIError);
        assert.ok(!kinds.includes('message_stop') && !kinds.includes('message_delta'));
        await assert.rejects(
          client.messages.stream(params(to, script, { tools: TOOLS })).finalMessage(),
          Anthropic.AnthropicError);
      });
    }

    test('d10 page of another program is a 502', async () => {
      await assert.rejects(create(to, 'html'), (error) => error.status === 502);
    });

    test('g1 cancel amid a stream closes upstream', async () => {
      const stream = await create(to, 'slow', { stream: true });
      for await (const event of stream) if (event.type === 'content_block_delta') break;
      const closed = monotonic();
      assert.ok((await stub.closed()).closed_at - closed < 0.5);
      assert.equal((await stub.seen()).length, 1);
    });

    for (const stream of [false, true]) {
      test(`g2 g3 cancel before the first byte closes upstream, ${stream}`, async () => {
        const abort = new AbortController();
        const pending = create(to, 'hang', { stream }, { signal: abort.signal, maxRetries: 2 });
        const refused = assert.rejects(pending, Anthropic.APIUserAbortError);
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

describe(`anthropic ${sdk.anthropicVersion} and thinking`, () => {
  for (const stream of [false, true]) {
    const how = stream ? 'streamed' : 'whole';

    test(`to7 ni17 thinking keeps its signature over the turn, ${how}`, async () => {
      const more = { tools: TOOLS, thinking: THINKING };
      const first = await ask(stream, 'anthropic', 'redactedtool', more);
      const call = first.content.at(-1);
      await stub.reset();
      const second = await create('anthropic', 'redactedtool',
        { ...more, messages: answered(first, [call.id, 'sunny']) });
      assert.equal(second.content[0].text, `Results: ${call.id}=sunny.`);
      const [thinking, redacted] = (await stub.body()).messages[1].content;
      assert.deepEqual(thinking, { type: 'thinking', thinking: THOUGHT, signature: SIGNATURE });
      assert.deepEqual(redacted, { type: 'redacted_thinking', data: SECRET });
    });

    test(`b4 reasoning of an openai provider is a thinking block, ${how}`, async () => {
      const first = await ask(stream, 'openai', 'think', { thinking: THINKING });
      const [thinking, text] = first.content;
      assert.deepEqual([thinking.type, thinking.thinking, thinking.signature],
        ['thinking', THOUGHT, '']);
      assert.equal(text.text, 'Four.');
      await stub.reset();
      const messages = [...HELLO, { role: 'assistant', content: first.content },
        { role: 'user', content: 'so?' }];
      await create('openai', 'text', { messages });
      assert.deepEqual((await stub.body()).messages[1], { role: 'assistant', content: 'Four.' });
    });
  }
});

describe(`anthropic ${sdk.anthropicVersion} and the gateway itself`, () => {
  for (const suffix of ['', '/v1']) {
    test(`pk1 to1 base url ending in "${suffix}"`, async () => {
      const other = connect({ baseURL: gateway.url + suffix });
      const answer = await other.messages.create(params('anthropic', 'text'));
      assert.equal(answer.content[0].text, TEXT);
      const counted = await other.messages.countTokens(
        { model: `${MODELS.anthropic}--text`, messages: HELLO });
      assert.equal(counted.input_tokens, 2095);
    });
  }

  test('pk2 portkey header outranks a junk key', async () => {
    const other = connect({ apiKey: 'dummy', defaultHeaders: { 'x-portkey-api-key': KEY } });
    await other.messages.create(params('openai', 'text'));
    const { headers } = await stub.last();
    assert.equal(headers.authorization, 'Bearer sk-stub-key');
    assert.equal(headers['x-portkey-api-key'], undefined);
    assert.equal(headers['x-api-key'], undefined);
  });

  test('pk12 count_tokens for an openai provider is an estimate that says so', async () => {
    const { data, response } = await client.messages.countTokens(
      { model: `${MODELS.openai}--text`, messages: HELLO, tools: TOOLS }).withResponse();
    assert.ok(data.input_tokens > 10);
    assert.equal(response.headers.get('x-ringway-estimate'), '1');
    assert.deepEqual(await stub.seen(), []);
  });

  test('models list and retrieve', async () => {
    const ids = (await collect(client.models.list())).map((found) => found.id);
    assert.ok(ids.includes('fast') && ids.includes('vertex_ai/gemini-2.5-pro-ca'));
    for (const id of ids) assert.equal((await client.models.retrieve(id)).id, id);
    const narrow = await collect(connect({ apiKey: NARROW_KEY }).models.list());
    assert.deepEqual(narrow.map((found) => found.id), ['fast']);
    await assert.rejects(client.models.retrieve('nope'), Anthropic.NotFoundError);
  });

  test('ni3 pk11 version and betas are forwarded as sent', async () => {
    await client.beta.messages.create(
      params('anthropic', 'text', { betas: ['context-1m-2025-08-07'] }));
    const { headers } = await stub.last();
    assert.equal(headers['anthropic-beta'], 'context-1m-2025-08-07');
    assert.match(headers['anthropic-version'], /^202[36]-/);
  });

  test('to2 callers own key goes to the provider of its wire alone', async () => {
    const other = connect({ baseURL: callers.url, apiKey: 'sk-ant-callers-own' });
    await other.messages.create(params('anthropic', 'text'));
    assert.match(JSON.stringify((await stub.last()).headers), /sk-ant-callers-own/);
    await stub.reset();
    await other.messages.create(params('openai', 'text'));
    const { headers } = await stub.last();
    assert.equal(headers.authorization, 'Bearer sk-stub-key');
    assert.doesNotMatch(JSON.stringify(headers), /callers-own/);
  });

  test('wrong key and unknown model', async () => {
    await assert.rejects(connect({ apiKey: 'rw-wrong' }).messages.create(
      params('anthropic', 'text')), Anthropic.AuthenticationError);
    await assert.rejects(create('anthropic', 'text', { model: 'fasst' }), (error) => {
      assert.ok(error instanceof Anthropic.NotFoundError);
      assert.match(error.message, /fast/);
      return true;
    });
    assert.deepEqual(await stub.seen(), []);
  });
});
