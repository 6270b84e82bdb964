import { AtSign, Globe, Mail, MessageCircle, MessageSquareText, Phone, Send } from 'lucide-react';
import classes from './avatar.module.css';

const NAMES: Record<string, string> = {
  whatsapp: 'WhatsApp',
  telegram: 'Telegram',
  webchat: 'WebChat',
  email: 'E-mail',
  sms: 'SMS',
  messenger: 'Messenger',
  instagram: 'Instagram',
  twitter: 'X',
  rcs: 'RCS',
  voice: 'Voice',
};

export function channelName(channel: string): string {
  return NAMES[channel] ?? channel.charAt(0).toUpperCase() + channel.slice(1);
}

const ICONS = {
  whatsapp: Phone,
  telegram: Send,
  webchat: Globe,
  email: Mail,
  sms: MessageSquareText,
  voice: Phone,
  instagram: AtSign,
} as const;

const COLOURS: Record<string, string> = {
  whatsapp: '#17834a',
  telegram: '#1c7fb8',
  webchat: '#6a56c8',
  email: '#a8522a',
  sms: '#7a6a12',
  messenger: '#2563eb',
  instagram: '#b3306f',
};

/** A small coloured square for a channel. Always beside or inside something that names it in words. */
export function ChannelMark({ channel, size = 18 }: { channel: string; size?: number }) {
  const Icon = ICONS[channel as keyof typeof ICONS] ?? MessageCircle;
  return (
    <span
      className={classes.channel}
      style={{ width: size, height: size, background: COLOURS[channel] ?? '#5d6a6f' }}
      aria-hidden
    >
      <Icon size={size * 0.6} strokeWidth={2.4} />
    </span>
  );
}
