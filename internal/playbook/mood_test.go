package playbook

import (
	"testing"

	"github.com/aside-project/aside/internal/assist"
)

func TestFeel(t *testing.T) {
	tests := []struct {
		name, text           string
		upset, again, broken bool
	}{
		{"plain question", "Hi, how do I return a pair of boots?", false, false, false},
		{"anger", "This is ridiculous, I want my money back.", true, false, false},
		{"polite and for the third time", "Good morning, I am afraid this is the third time I'm writing about my parcel. Kind regards", false, true, false},
		{"polite, our promise", "Hello, your colleague told me the refund would be there by Monday. Could you have a look, please?", false, false, true},
		{"sarcasm", "Oh great, another broken zipper.", true, false, false},
		{"sarcasm with praise", "Great job, you lost it again.", true, false, false},
		{"thanks for nothing", "Thanks for nothing.", true, false, false},
		{"real thanks", "Thanks so much for the great service!", false, false, false},
		{"real praise", "Great, thank you!", false, false, false},
		{"capitals", "WHERE IS MY ORDER NOBODY TELLS ME", true, false, false},
		{"an order number is no shout", "My order is WF-20417 ABC and the SKU is XL", false, false, false},
		{"not upset", "I'm not angry, I just want to know.", false, false, false},
		{"not even upset", "No worries, I'm not really upset about it", false, false, false},
		{"a third party", "My neighbour is furious because the parcel stood at his door.", false, false, false},
		{"a boss", "My boss is angry with me, so I need the invoice today.", false, false, false},
		{"a third party and us", "My husband is furious with you, this is unacceptable.", true, false, false},
		{"somebody else's promise", "My friend promised to give me the jacket.", false, false, false},
		{"second time bought, no contact", "This is the second time I bought these boots, love them.", false, false, false},
		{"nobody answered", "I wrote last week and nobody answered.", false, true, false},
		{"should have arrived", "It should have arrived on Friday.", false, false, true},
		{"German", "Ich bin stinksauer, das ist eine Frechheit.", true, false, false},
		{"German again", "Ich schreibe Ihnen jetzt zum dritten Mal.", false, true, false},
		{"German promise", "Mir wurde die Lieferung bis Montag versprochen.", false, false, true},
		{"German calm", "Ich bin nicht sauer, nur neugierig.", false, false, false},
		{"French", "C'est inadmissible, je suis très déçue.", true, false, false},
		{"French promise", "Vous m'aviez promis une réponse.", false, false, true},
		{"Spanish", "Estoy harto de esperar, es una vergüenza.", true, false, false},
		{"Spanish again", "Es la tercera vez que escribo.", false, true, false},
		{"Portuguese", "Isso é inaceitável.", true, false, false},
		{"Portuguese again", "Já escrevi duas vezes e ninguém me respondeu.", false, true, false},
		{"Portuguese promise", "Vocês prometeram que chegaria na segunda.", false, false, true},
		{"Portuguese sarcasm", "Que maravilha, quebrou de novo.", true, false, false},
		{"Portuguese polite", "Bom dia, é a terceira vez que escrevo. Poderia verificar, por favor?", false, true, false},
		{"Portuguese capitals", "ONDE ESTÁ O MEU PEDIDO AFINAL", true, false, false},
		{"Portuguese third party", "Meu vizinho está furioso porque o pacote ficou na porta dele.", false, false, false},
		{"Portuguese thanks", "Muito obrigado pelo ótimo atendimento!", false, false, false},
		{"Portuguese calm", "Não estou com raiva, só quero saber.", false, false, false},
		{"Spanish promise", "Me prometieron el reembolso para el lunes.", false, false, true},
		{"Spanish sarcasm", "Qué bien, otra vez roto.", true, false, false},
		{"Spanish polite", "Buenos días, ya les escribí dos veces. ¿Podrían mirarlo, por favor?", false, true, false},
		{"Spanish capitals", "DÓNDE ESTÁ MI PAQUETE DE UNA VEZ", true, false, false},
		{"Spanish third party", "Mi jefe está enfadado y necesito la factura hoy.", false, false, false},
		{"Spanish thanks", "Muchas gracias por el excelente servicio.", false, false, false},
		{"Spanish calm", "No estoy enfadada, solo quería preguntar.", false, false, false},
		{"French again", "C'est la troisième fois que je vous écris.", false, true, false},
		{"French nobody", "J'ai déjà écrit et personne ne m'a répondu.", false, true, false},
		{"French sarcasm", "Bravo, encore un colis perdu.", true, false, false},
		{"French sarcasm, thanks", "Merci pour rien.", true, false, false},
		{"French polite", "Bonjour, vous m'aviez dit que le remboursement arriverait lundi. Pourriez-vous vérifier, s'il vous plaît ?", false, false, true},
		{"French capitals", "OÙ EST MA COMMANDE ENFIN", true, false, false},
		{"French third party", "Ma voisine est furieuse parce que le colis est chez elle.", false, false, false},
		{"French thanks", "Merci beaucoup pour votre aide !", false, false, false},
		{"French calm", "Je ne suis pas déçue, juste curieuse.", false, false, false},
		{"German sarcasm", "Na toll, schon wieder kaputt.", true, false, false},
		{"German sarcasm, thanks", "Danke für nichts.", true, false, false},
		{"German polite", "Guten Tag, ich schreibe nun zum zweiten Mal wegen meines Pakets. Könnten Sie bitte nachsehen?", false, true, false},
		{"German capitals", "WO BLEIBT DENN NUN MEIN PAKET", true, false, false},
		{"German third party", "Meine Chefin ist sauer auf mich, ich brauche die Rechnung heute.", false, false, false},
		{"German thanks", "Vielen Dank für den tollen Service!", false, false, false},
		{"German nobody", "Ich habe letzte Woche geschrieben und niemand hat geantwortet.", false, true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := Feel([]assist.Turn{{Role: assist.RoleCustomer, Text: tt.text}})
			if u, a, b := len(m.Upset) > 0, len(m.Again) > 0, len(m.Broken) > 0; u != tt.upset || a != tt.again || b != tt.broken {
				t.Errorf("%q: upset %v %q, again %v %q, broken %v %q", tt.text, u, m.Upset, a, m.Again, b, m.Broken)
			}
		})
	}
}

func TestMoodPasses(t *testing.T) {
	turns := []assist.Turn{{Role: assist.RoleCustomer, Text: "This is ridiculous. I wrote twice already!"}}
	if m := Feel(turns); len(m.Upset) == 0 || m.Contact != 2 || m.Why() == "" {
		t.Errorf("%+v", m)
	}
	for _, s := range []string{"Order 12345.", "Yes.", "Thank you, that helps."} {
		turns = append(turns, assist.Turn{Role: assist.RoleAgent, Text: "…"}, assist.Turn{Role: assist.RoleCustomer, Text: s})
	}
	m := Feel(turns)
	if len(m.Upset) > 0 || len(m.Again) == 0 {
		t.Errorf("anger passes, a second contact stays one: %+v", m)
	}
}

func TestAgentsWordsAreNotTheCustomers(t *testing.T) {
	if m := Feel([]assist.Turn{{Role: assist.RoleAgent, Text: "That is unacceptable, I was told so twice already"}}); m.Needed() {
		t.Errorf("%+v", m)
	}
}
