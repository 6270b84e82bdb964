import { describe, expectTypeOf, it } from 'vitest';
import type { components } from './openapi.gen';
import type * as page from './types';

/** The description leaves what may be null out of `required`; the service always writes it. */
type Written<T> = T extends (infer Item)[]
  ? Written<Item>[]
  : T extends object
    ? { [Name in keyof T]-?: Written<Exclude<T[Name], undefined>> }
    : T;
type Served<Name extends keyof components['schemas']> = Written<components['schemas'][Name]>;

/** Checked by the compiler: what the service describes is what the page expects. */
describe('types', () => {
  it('take what the description promises', () => {
    expectTypeOf<Served<'Conversation'>>().toExtend<page.Conversation>();
    expectTypeOf<Served<'ConversationList'>>().toExtend<page.ConversationPage>();
    expectTypeOf<Served<'Message'>>().toExtend<page.Message>();
    expectTypeOf<Served<'MessageList'>>().toExtend<page.MessagePage>();
    expectTypeOf<Served<'Me'>>().toExtend<page.Me>();
    expectTypeOf<Served<'Seat'>>().toExtend<page.Seat>();
    expectTypeOf<Served<'User'>>().toExtend<page.User>();
    expectTypeOf<Served<'AgentList'>>().toExtend<{ items: page.Agent[] }>();
    expectTypeOf<Served<'SavedContact'>>().toExtend<page.SavedContact>();
    expectTypeOf<Served<'TemplateList'>>().toExtend<page.TemplateList>();
    expectTypeOf<Served<'Uploaded'>>().toExtend<page.StoredMedia>();
    expectTypeOf<Served<'ParkedCauses'>>().toExtend<page.ParkedCauses>();
    expectTypeOf<Served<'ParkedList'>>().toExtend<page.ParkedPage>();
    expectTypeOf<Served<'ParkedDetail'>>().toExtend<page.ParkedDetail>();
    expectTypeOf<Served<'ParkedMoved'>>().toExtend<page.ParkedMoved>();
  });

  it('send what the description takes', () => {
    expectTypeOf<page.TextContent>().toExtend<components['schemas']['Draft']>();
    expectTypeOf<page.TemplateContent>().toExtend<components['schemas']['Draft']>();
    expectTypeOf<page.ContactCard>().toExtend<components['schemas']['Card']>();
  });
});
