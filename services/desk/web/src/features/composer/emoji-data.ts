/** A small set that customer service needs; the system's own picker has the rest. */
export const EMOJI = {
  faces:
    '😀 😃 😄 😁 😅 😂 🙂 🙃 😉 😊 😇 🥰 😍 😘 😋 😜 🤗 🤔 🤭 😐 😶 😏 🙄 😬 😌 😔 😴 😷 🤒 🥳 😎 🤓 😕 🙁 😮 😯 😳 🥺 😢 😭 😱 😓 😩 😤 😡 😠'.split(
      ' ',
    ),
  gestures: '👍 👎 👌 ✌️ 🤞 🤝 🙏 👏 🙌 👋 🤙 💪 👇 👆 👉 👈 ☝️ ✋ 🖐️ 🫶 🤲 👀 🙋 🙆 🤷 🤦'.split(' '),
  hearts: '❤️ 🧡 💛 💚 💙 💜 🖤 🤍 💔 💯 ✅ ❌ ⚠️ ❗ ❓ ⭐ ✨ 🔥 🎉 🎊 💤 ♻️ ℹ️ 🔔 🔒 🔑'.split(' '),
  things: '📦 🚚 🛒 🛍️ 🎁 💳 💰 🧾 📄 📎 📷 📱 💻 🖨️ 📞 ☎️ ✉️ 📧 📅 ⏰ ⌛ 📍 🏠 🏢 🚗 ✈️ ☕ 🍕 🌧️ ☀️ 🔧 💡'.split(' '),
} as const;

export type EmojiGroup = keyof typeof EMOJI;
