import { createTheme, type MantineColorsTuple, Modal, Tooltip } from '@mantine/core';

const tide: MantineColorsTuple = [
  '#e6f6f3',
  '#cfece7',
  '#a0dbd2',
  '#6ecbbd',
  '#34d3c0',
  '#1fa394',
  '#158a7d',
  '#0f766e',
  '#0b5d57',
  '#06443f',
];

const dark: MantineColorsTuple = [
  '#e7ecee',
  '#c3ccd1',
  '#aeb9bf',
  '#909ca3',
  '#3b444a',
  '#293035',
  '#1e2327',
  '#161a1d',
  '#121619',
  '#0e1113',
];

/** Mantine, tuned to the tokens of `styles/tokens.css`. */
export const theme = createTheme({
  primaryColor: 'tide',
  colors: { tide, dark },
  primaryShade: { light: 7, dark: 4 },
  fontFamily: 'var(--font)',
  fontFamilyMonospace: 'var(--mono)',
  defaultRadius: 'md',
  cursorType: 'pointer',
  respectReducedMotion: true,
  fontSizes: { xs: '12px', sm: '13px', md: '14px', lg: '16px', xl: '20px' },
  components: {
    Modal: Modal.extend({ styles: { title: { fontSize: 16, fontWeight: 650 }, header: { background: 'inherit' } } }),
    Tooltip: Tooltip.extend({
      defaultProps: { withArrow: true, openDelay: 250, events: { hover: true, focus: true, touch: true } },
    }),
  },
});
