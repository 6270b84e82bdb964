import { useMantineColorScheme } from '@mantine/core';
import { Spotlight, type SpotlightActionData } from '@mantine/spotlight';
import {
  ArrowLeftRight,
  CircleCheck,
  Hand,
  Inbox,
  Keyboard,
  Languages,
  LayoutTemplate,
  LogOut,
  OctagonPause,
  Search,
  SunMoon,
  Undo2,
  UserRound,
} from 'lucide-react';
import type { Conversation } from '@/api/types';
import { LANGUAGES, useWords, type Words } from '@/i18n';
import { returnToQueue } from '@/store/commands';
import { useDesk } from '@/store/desk';
import { go, goParked } from '@/store/route';
import { accountOf, allConversations, supervises, titleOf, VIEWS } from '@/store/select';
import { show } from '@/store/ui';
import { Avatar } from '@/ui/avatar';
import { takeAndStay } from './desk-keys';
import { PRESENCES, setPresence } from './presence-menu';
import { leaveDesk, setDeskLanguage } from './settings-menu';

const icon = { size: 18, 'aria-hidden': true } as const;

function onConversation({ t }: Words, conversation: Conversation, templates: boolean): SpotlightActionData[] {
  const group = titleOf(conversation);
  if (conversation.state === 'waiting') {
    const onClick = () => void takeAndStay(conversation.id);
    return [{ id: 'take', group, label: t('action.take'), leftSection: <Hand {...icon} />, onClick }];
  }
  if (conversation.state === 'closed') return [];
  const back = () => void returnToQueue(conversation.id);
  const offer: SpotlightActionData = {
    id: 'templates',
    group,
    label: t('composer.templates'),
    leftSection: <LayoutTemplate {...icon} />,
    onClick: () => show('templates'),
  };
  return [
    ...(templates ? [offer] : []),
    {
      id: 'transfer',
      group,
      label: t('action.transfer'),
      leftSection: <ArrowLeftRight {...icon} />,
      onClick: () => show('transfer'),
    },
    { id: 'return', group, label: t('action.return'), leftSection: <Undo2 {...icon} />, onClick: back },
    {
      id: 'conclude',
      group,
      label: t('action.conclude'),
      leftSection: <CircleCheck {...icon} />,
      onClick: () => show('conclude'),
    },
  ];
}

function onDesk({ t, language }: Words): SpotlightActionData[] {
  const group = t('commands.desk');
  return [
    ...PRESENCES.map((presence) => ({
      id: `presence-${presence}`,
      group,
      label: t('commands.presence', { presence: t(`presence.${presence}`) }),
      leftSection: <UserRound {...icon} />,
      onClick: () => setPresence(presence),
    })),
    ...LANGUAGES.filter(({ id }) => id !== language).map(({ id, name }) => ({
      id: `language-${id}`,
      group,
      label: t('commands.language', { language: name }),
      leftSection: <Languages {...icon} />,
      onClick: () => setDeskLanguage(id),
    })),
    {
      id: 'shortcuts',
      group,
      label: t('nav.shortcuts'),
      leftSection: <Keyboard {...icon} />,
      onClick: () => show('shortcuts'),
    },
    { id: 'leave', group, label: t('signin.out'), leftSection: <LogOut {...icon} />, onClick: leaveDesk },
  ];
}

/** Ctrl+K: everything by its name. */
export function Commands({ conversation }: { conversation: Conversation | null }) {
  const words = useWords();
  const { t } = words;
  const { setColorScheme } = useMantineColorScheme();
  const known = useDesk(allConversations);
  const isSupervising = useDesk(supervises);
  const templates = useDesk((state) => (conversation && accountOf(state, conversation)?.templates) ?? false);
  const schemes = (['light', 'dark', 'auto'] as const).map((scheme) => ({
    id: `scheme-${scheme}`,
    group: t('commands.desk'),
    label: t('commands.scheme', { scheme: t(scheme === 'auto' ? 'nav.system' : `nav.${scheme}`) }),
    leftSection: <SunMoon {...icon} />,
    onClick: () => setColorScheme(scheme),
  }));
  const actions: SpotlightActionData[] = [
    ...(conversation ? onConversation(words, conversation, templates) : []),
    ...VIEWS.map((view) => ({
      id: `view-${view}`,
      group: t('commands.go'),
      label: t(`view.${view}`),
      leftSection: <Inbox {...icon} />,
      onClick: () => go({ view, conversation: null }),
    })),
    ...(isSupervising
      ? [
          {
            id: 'view-parked',
            group: t('commands.go'),
            label: t('parked.title'),
            leftSection: <OctagonPause {...icon} />,
            onClick: () => goParked(null),
          },
        ]
      : []),
    ...known
      .filter(({ state }) => state !== 'closed')
      .map((one) => ({
        id: one.id,
        group: t('commands.open'),
        label: titleOf(one),
        description: `${one.contact.address} · ${t(`state.${one.state}`)}`,
        leftSection: <Avatar name={titleOf(one)} channel={one.channel} size={26} />,
        onClick: () => go({ view: one.state === 'closed' ? 'waiting' : one.state, conversation: one.id }),
      })),
    ...onDesk(words),
    ...schemes,
  ];
  return (
    <Spotlight
      actions={grouped(actions)}
      shortcut={null}
      limit={12}
      highlightQuery
      scrollable
      maxHeight={420}
      nothingFound={t('commands.none')}
      searchProps={{
        leftSection: <Search {...icon} />,
        placeholder: t('commands.placeholder'),
        'aria-label': t('nav.commands'),
      }}
    />
  );
}

function grouped(actions: SpotlightActionData[]): { group: string; actions: SpotlightActionData[] }[] {
  const groups = new Map<string, SpotlightActionData[]>();
  for (const { group = '', ...action } of actions) {
    const list = groups.get(group) ?? [];
    list.push(action as SpotlightActionData);
    groups.set(group, list);
  }
  return [...groups].map(([group, list]) => ({ group, actions: list }));
}
