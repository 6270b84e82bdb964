/** The mark: two tributaries and the river that they become. */
export function Brand({ size = 28 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden style={{ flex: 'none' }}>
      <rect width="32" height="32" rx="8" fill="#0f766e" />
      <path d="M7 8c0 7 9 6 9 12v5M25 8c0 7-9 6-9 12" fill="none" stroke="#fff" strokeWidth="3" strokeLinecap="round" />
      <path d="M16 7v8" fill="none" stroke="#99f6e4" strokeWidth="3" strokeLinecap="round" />
    </svg>
  );
}
