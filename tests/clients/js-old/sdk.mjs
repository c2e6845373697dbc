// The SDKs of this folder, so that one set of tests runs on both.
export { default as OpenAI } from 'openai';
export { default as Anthropic } from '@anthropic-ai/sdk';
export { VERSION as openaiVersion } from 'openai/version';
export { VERSION as anthropicVersion } from '@anthropic-ai/sdk/version';
