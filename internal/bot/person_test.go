package bot

import "testing"

func TestAsksForPerson(t *testing.T) {
	for _, text := range []string{
		"agent", "AGENT!!", "human please", "I want to talk to a person", "Can I speak to someone?", "real human", "representative", "let me talk to a human being",
		"get me a manager", "can you transfer me to an agent", "I'd like to speak with a real person now", "connect me with customer service", "operator",
		"this bot is useless, I need a human", "I don't want to talk to a bot", "no more robots please", "is there anybody I can talk to?", "please escalate this",
		"agnet", "humann please", "represntative", "i wanna tlak to a person", "speek to an agent", "can i chat with a live agent", "give me a person", "I need a real person", "live chat",
		"Ich möchte mit einem Menschen sprechen", "jemanden", "Kann ich mit jemandem reden?", "Mitarbeiter bitte", "Verbinden Sie mich mit einem Mitarbeiter", "ich will keinen Bot", "echter Mensch",
		"une vraie personne", "Je veux parler à un conseiller", "puis-je parler à quelqu'un ?", "un humain svp", "passez-moi un agent", "marre de ce robot",
		"quiero hablar con una persona", "un agente por favor", "¿puedo hablar con alguien?", "necesito un humano", "persona real",
		"quero falar com um atendente", "preciso falar com uma pessoa", "atendente", "humano por favor",
		"vorrei parlare con un operatore", "posso parlare con qualcuno?", "operatore", "una persona vera per favore",
		"ik wil een medewerker spreken", "kan ik met iemand praten?", "medewerker graag", "echt persoon", "mens",
	} {
		if !asksForPerson(text) {
			t.Errorf("%q is not understood", text)
		}
	}
	for _, text := range []string{
		"How long do refunds take?", "Can I return it in person?", "Can someone else collect my parcel?", "What does it cost per person?", "Do you have travel agents?",
		"Are you a bot?", "Am I talking to a human?", "What is the cleaning agent for wool?", "I want to add a person to my account", "How do I take care of wool?",
		"I need someone to sign for the delivery?", "Wie lange dauert eine Rückgabe?", "Was kostet der Versand pro Person?", "Combien de temps pour un retour ?",
		"¿Cuánto tarda el envío?", "Quanto tempo demora?", "Quanto costa la spedizione?", "Wat kost verzending?", "Bonjour", "thanks!", "yes please", "no", "",
		"Do you sell human hair wigs?", "my agenda is full, can you deliver on Monday", "is the jacket urgent order possible",
	} {
		if asksForPerson(text) {
			t.Errorf("%q is no wish for a person", text)
		}
	}
}

func TestAsksWhetherBot(t *testing.T) {
	for text, want := range map[string]bool{
		"Are you a bot?": true, "are you a real person?": true, "Am I talking to a human?": true, "Bist du ein Bot?": true, "Sind Sie ein Mensch?": true,
		"êtes-vous un robot ?": true, "¿eres un robot?": true, "você é um robô?": true, "sei un bot?": true, "ben je een robot?": true,
		"Is this a machine washable item?": false, "How long do returns take?": false,
	} {
		if got := asksWhetherBot(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestAccountSpecific(t *testing.T) {
	for text, want := range map[string]bool{
		"where is my order 123": true, "order #4411 has not come": true, "My order number is 10412": true, "Bestellung Nr. 88123": true, "commande n° 5512": true,
		"mi pedido 7781 no llega": true, "ordine 5512": true, "bestelling 5512": true, "tracking JD0146000": true, "my mail is a@b.example": true, "account 12345678": true,
		"Where is my order?": false, "How long do refunds take?": false, "Can I return within 30 days?": false, "Is the 250 lumen lamp waterproof?": false,
		"Do you ship orders over $100 for free?": false, "Is there a minimum of 3 items?": false,
	} {
		if got := accountSpecific(text) != ""; got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func FuzzRules(f *testing.F) {
	f.Add("I want to talk to a hùman ’ order #12345")
	f.Fuzz(func(_ *testing.T, text string) { // whatever it is, it is read without harm
		asksForPerson(text)
		asksWhetherBot(text)
		accountSpecific(text)
		dissatisfied(text)
		guessLanguage(text)
	})
}
