// The chat's own words, in five languages. What people and the bot say is in the
// language they say it in.

const EN = {
  title: "Chat with us",
  open: "Open the chat",
  close: "Close the chat",
  bot: "Automated assistant",
  botMark: "automated",
  team: "Our team",
  person: "a person from our team",
  personMark: "our team",
  you: "You",
  greeting: "Hello! How can we help?",
  greetingPeople: "Hello! Write to us, and a person from our team will answer.",
  disclosure: "You are writing with an automated assistant. You can talk to a person at any time.",
  talk: "Talk to a person",
  asking: "Asking for a person…",
  inQueue: "Waiting for a person",
  willAnswer: "We will answer you",
  ended: "This conversation has ended",
  waiting: "You are in the queue for a person from our team.",
  seen: "They will see this conversation: you need not repeat anything.",
  next: "You are next.",
  ahead: (n) => (n === 1 ? "1 person is ahead of you." : `${n} people are ahead of you.`),
  wait: (minutes) => (minutes <= 1 ? "It usually takes about a minute." : `It usually takes about ${minutes} minutes.`),
  message: "Nobody is here at the moment. We have your message and will answer here.",
  back: (when) => `We are back ${when}.`,
  taken: (name) => `${name || "A person from our team"} is here now.`,
  withName: (name) => `You are talking with ${name || "a person"}`,
  closed: "This conversation has ended. Thank you for writing.",
  again: "Start a new conversation",
  sources: "Read more",
  newTab: "opens in a new tab",
  write: "Write a message",
  send: "Send",
  log: "Conversation",
  sending: "Sending…",
  keeps: "Goes out when the connection is back",
  failed: "Not sent.",
  retry: "Try again",
  edit: "Edit",
  typing: (name) => `${name} is typing`,
  connecting: "Connecting…",
  offline: "No connection. Reconnecting… What you write is kept.",
  limited: "Many people are writing right now. We try again by ourselves in a moment.",
  unreachable: "The chat cannot be reached. We keep trying; what you write is kept.",
  tooLong: (n) => `${n} characters too many`,
  news: (n) => (n === 1 ? "1 new message" : `${n} new messages`),
};

const DE = {
  title: "Chat mit uns", open: "Chat öffnen", close: "Chat schließen", bot: "Automatischer Assistent", botMark: "automatisch", team: "Unser Team",
  person: "ein Mensch aus unserem Team", personMark: "unser Team", you: "Sie",
  greeting: "Hallo! Wie können wir helfen?", greetingPeople: "Hallo! Schreiben Sie uns, ein Mensch aus unserem Team antwortet Ihnen.",
  disclosure: "Sie schreiben mit einem automatischen Assistenten. Sie können jederzeit mit einem Menschen sprechen.",
  talk: "Mit einem Menschen sprechen", asking: "Wir rufen einen Menschen…", inQueue: "Sie warten auf einen Menschen", willAnswer: "Wir antworten Ihnen", ended: "Dieses Gespräch ist beendet",
  waiting: "Sie sind in der Warteschlange für einen Menschen aus unserem Team.", seen: "Dort ist dieses Gespräch zu sehen: Sie müssen nichts wiederholen.",
  next: "Sie sind als Nächstes dran.", ahead: (n) => (n === 1 ? "1 Person ist vor Ihnen." : `${n} Personen sind vor Ihnen.`),
  wait: (m) => (m <= 1 ? "Es dauert meist etwa eine Minute." : `Es dauert meist etwa ${m} Minuten.`),
  message: "Im Moment ist niemand da. Wir haben Ihre Nachricht und antworten hier.", back: (when) => `Wir sind wieder da: ${when}.`,
  taken: (name) => `${name || "Ein Mensch aus unserem Team"} ist jetzt da.`, withName: (name) => `Sie sprechen mit ${name || "einem Menschen"}`,
  closed: "Dieses Gespräch ist beendet. Danke, dass Sie geschrieben haben.", again: "Neues Gespräch beginnen",
  sources: "Mehr dazu", newTab: "öffnet sich in einem neuen Tab", write: "Nachricht schreiben", send: "Senden", log: "Gespräch",
  sending: "Wird gesendet…", keeps: "Geht hinaus, sobald die Verbindung wieder da ist", failed: "Nicht gesendet.", retry: "Noch einmal", edit: "Bearbeiten",
  typing: (name) => `${name} schreibt`, connecting: "Verbindung wird aufgebaut…", offline: "Keine Verbindung. Wir verbinden neu… Was Sie schreiben, bleibt erhalten.",
  limited: "Gerade schreiben sehr viele. Wir versuchen es gleich von selbst noch einmal.", unreachable: "Der Chat ist nicht erreichbar. Wir versuchen es weiter; was Sie schreiben, bleibt erhalten.",
  tooLong: (n) => `${n} Zeichen zu viel`, news: (n) => (n === 1 ? "1 neue Nachricht" : `${n} neue Nachrichten`),
};

const FR = {
  title: "Discuter avec nous", open: "Ouvrir la discussion", close: "Fermer la discussion", bot: "Assistant automatique", botMark: "automatique", team: "Notre équipe",
  person: "une personne de notre équipe", personMark: "notre équipe", you: "Vous",
  greeting: "Bonjour ! Comment pouvons-nous vous aider ?", greetingPeople: "Bonjour ! Écrivez-nous, une personne de notre équipe vous répondra.",
  disclosure: "Vous écrivez à un assistant automatique. Vous pouvez parler à une personne à tout moment.",
  talk: "Parler à une personne", asking: "Nous appelons une personne…", inQueue: "En attente d’une personne", willAnswer: "Nous vous répondrons", ended: "Cette conversation est terminée",
  waiting: "Vous êtes dans la file d’attente pour parler à une personne de notre équipe.", seen: "Elle verra cette conversation : inutile de tout répéter.",
  next: "C’est bientôt votre tour.", ahead: (n) => (n === 1 ? "1 personne est devant vous." : `${n} personnes sont devant vous.`),
  wait: (m) => (m <= 1 ? "Il faut en général environ une minute." : `Il faut en général environ ${m} minutes.`),
  message: "Personne n’est là pour le moment. Nous avons votre message et vous répondrons ici.", back: (when) => `Nous sommes de retour ${when}.`,
  taken: (name) => `${name || "Une personne de notre équipe"} est là.`, withName: (name) => `Vous parlez avec ${name || "une personne"}`,
  closed: "Cette conversation est terminée. Merci de nous avoir écrit.", again: "Commencer une nouvelle conversation",
  sources: "En savoir plus", newTab: "s’ouvre dans un nouvel onglet", write: "Écrire un message", send: "Envoyer", log: "Conversation",
  sending: "Envoi…", keeps: "Partira quand la connexion sera rétablie", failed: "Non envoyé.", retry: "Réessayer", edit: "Modifier",
  typing: (name) => `${name} écrit`, connecting: "Connexion…", offline: "Pas de connexion. Reconnexion… Ce que vous écrivez est conservé.",
  limited: "Beaucoup de personnes écrivent en ce moment. Nous réessayons dans un instant.", unreachable: "La discussion est injoignable. Nous réessayons ; ce que vous écrivez est conservé.",
  tooLong: (n) => (n === 1 ? "1 caractère de trop" : `${n} caractères de trop`), news: (n) => (n === 1 ? "1 nouveau message" : `${n} nouveaux messages`),
};

const ES = {
  title: "Chatea con nosotros", open: "Abrir el chat", close: "Cerrar el chat", bot: "Asistente automático", botMark: "automático", team: "Nuestro equipo",
  person: "una persona de nuestro equipo", personMark: "nuestro equipo", you: "Tú",
  greeting: "¡Hola! ¿En qué podemos ayudarte?", greetingPeople: "¡Hola! Escríbenos y una persona de nuestro equipo te responderá.",
  disclosure: "Estás escribiendo con un asistente automático. Puedes hablar con una persona cuando quieras.",
  talk: "Hablar con una persona", asking: "Llamando a una persona…", inQueue: "Esperando a una persona", willAnswer: "Te responderemos", ended: "Esta conversación ha terminado",
  waiting: "Estás en la cola para hablar con una persona de nuestro equipo.", seen: "Verá esta conversación: no tendrás que repetir nada.",
  next: "Eres la siguiente persona.", ahead: (n) => (n === 1 ? "Hay 1 persona delante de ti." : `Hay ${n} personas delante de ti.`),
  wait: (m) => (m <= 1 ? "Suele tardar alrededor de un minuto." : `Suele tardar unos ${m} minutos.`),
  message: "Ahora mismo no hay nadie. Tenemos tu mensaje y te responderemos aquí.", back: (when) => `Volvemos ${when}.`,
  taken: (name) => `${name || "Una persona de nuestro equipo"} ya está aquí.`, withName: (name) => `Hablas con ${name || "una persona"}`,
  closed: "Esta conversación ha terminado. Gracias por escribirnos.", again: "Empezar una conversación nueva",
  sources: "Más información", newTab: "se abre en una pestaña nueva", write: "Escribe un mensaje", send: "Enviar", log: "Conversación",
  sending: "Enviando…", keeps: "Se enviará cuando vuelva la conexión", failed: "No enviado.", retry: "Reintentar", edit: "Editar",
  typing: (name) => `${name} está escribiendo`, connecting: "Conectando…", offline: "Sin conexión. Reconectando… Lo que escribas se conserva.",
  limited: "Hay mucha gente escribiendo. Lo intentamos de nuevo en un momento.", unreachable: "No se puede acceder al chat. Seguimos intentándolo; lo que escribas se conserva.",
  tooLong: (n) => (n === 1 ? "Sobra 1 carácter" : `Sobran ${n} caracteres`), news: (n) => (n === 1 ? "1 mensaje nuevo" : `${n} mensajes nuevos`),
};

const PT = {
  title: "Converse connosco", open: "Abrir a conversa", close: "Fechar a conversa", bot: "Assistente automático", botMark: "automático", team: "A nossa equipa",
  person: "uma pessoa da nossa equipa", personMark: "a nossa equipa", you: "Você",
  greeting: "Olá! Como podemos ajudar?", greetingPeople: "Olá! Escreva-nos e uma pessoa da nossa equipa responderá.",
  disclosure: "Está a escrever com um assistente automático. Pode falar com uma pessoa a qualquer momento.",
  talk: "Falar com uma pessoa", asking: "A chamar uma pessoa…", inQueue: "À espera de uma pessoa", willAnswer: "Vamos responder-lhe", ended: "Esta conversa terminou",
  waiting: "Está na fila para falar com uma pessoa da nossa equipa.", seen: "Ela verá esta conversa: não precisa de repetir nada.",
  next: "É a pessoa seguinte.", ahead: (n) => (n === 1 ? "Está 1 pessoa à sua frente." : `Estão ${n} pessoas à sua frente.`),
  wait: (m) => (m <= 1 ? "Costuma demorar cerca de um minuto." : `Costuma demorar cerca de ${m} minutos.`),
  message: "De momento não está ninguém. Temos a sua mensagem e responderemos aqui.", back: (when) => `Voltamos ${when}.`,
  taken: (name) => `${name || "Uma pessoa da nossa equipa"} já está aqui.`, withName: (name) => `Está a falar com ${name || "uma pessoa"}`,
  closed: "Esta conversa terminou. Obrigado por nos ter escrito.", again: "Começar uma nova conversa",
  sources: "Saiba mais", newTab: "abre num novo separador", write: "Escreva uma mensagem", send: "Enviar", log: "Conversa",
  sending: "A enviar…", keeps: "Segue quando a ligação voltar", failed: "Não enviada.", retry: "Tentar de novo", edit: "Editar",
  typing: (name) => `${name} está a escrever`, connecting: "A ligar…", offline: "Sem ligação. A ligar de novo… O que escrever fica guardado.",
  limited: "Há muitas pessoas a escrever. Tentamos de novo dentro de momentos.", unreachable: "Não é possível aceder à conversa. Continuamos a tentar; o que escrever fica guardado.",
  tooLong: (n) => (n === 1 ? "1 carácter a mais" : `${n} caracteres a mais`), news: (n) => (n === 1 ? "1 mensagem nova" : `${n} mensagens novas`),
};

export const LANGUAGES = { en: EN, de: DE, fr: FR, es: ES, pt: PT };

export const words = (lang) => LANGUAGES[lang] ?? EN;

// when says a day and an hour ahead, as people of that locale do.
export function when(at, now, lang) {
  const d = new Date(at), n = new Date(now);
  if (Number.isNaN(d.getTime())) return "";
  const time = new Intl.DateTimeFormat(lang, { hour: "numeric", minute: "2-digit" }).format(d);
  const days = Math.round((midnight(d) - midnight(n)) / 864e5);
  if (days === 0 || days === 1) return `${new Intl.RelativeTimeFormat(lang, { numeric: "auto" }).format(days, "day")}, ${time}`;
  return new Intl.DateTimeFormat(lang, { weekday: "long", ...(days > 6 && { day: "numeric", month: "long" }), hour: "numeric", minute: "2-digit" }).format(d);
}

const midnight = (d) => new Date(d.getFullYear(), d.getMonth(), d.getDate()).getTime();
