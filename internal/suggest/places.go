package suggest

import (
	"strings"
	"unicode"

	"github.com/aside-project/aside/internal/lex"
)

// places finds the countries and regions that a text names, as sets of codes: a
// city or state is its country, a country of the European Union is also "eu".
// What is not known is no place.
func places(text string) map[string]bool {
	low := " " + strings.Join(strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && r != '\''
	}), " ") + " "
	found := map[string]bool{}
	for name, code := range placeNames {
		if strings.Contains(low, name) {
			found[code] = true
			if unionMembers[code] {
				found["eu"] = true
			}
			if code == "ak" || code == "hi" {
				found["us"] = true
			}
		}
	}
	for _, w := range lex.Words(text) {
		switch w.In(text) {
		case "US", "USA":
			found["us"] = true
		case "UK", "GB":
			found["gb"] = true
		case "EU", "UE":
			found["eu"] = true
		}
	}
	return found
}

// elsewhere reports whether a text that names places speaks of others than the
// customer's.
func elsewhere(customers, sentence map[string]bool) bool {
	if len(customers) == 0 || len(sentence) == 0 {
		return false
	}
	for p := range customers {
		if sentence[p] && (p != "us" || !customers["ak"] && !customers["hi"] || sentence["ak"] || sentence["hi"]) {
			return false
		}
	}
	return true
}

// regions are the names under which policies speak of places.
func regions(where map[string]bool) string {
	var names []string
	for _, r := range []struct{ code, name string }{{"us", "United States"}, {"ca", "Canada"}, {"eu", "European Union"}, {"gb", "United Kingdom"}, {"ak", "Alaska"}, {"hi", "Hawaii"}} {
		if where[r.code] {
			names = append(names, r.name)
		}
	}
	return strings.Join(names, " ")
}

var unionMembers = map[string]bool{"at": true, "be": true, "bg": true, "cy": true, "cz": true, "de": true, "dk": true, "ee": true, "es": true,
	"fi": true, "fr": true, "gr": true, "hr": true, "hu": true, "ie": true, "it": true, "lt": true, "lu": true, "lv": true, "mt": true,
	"nl": true, "pl": true, "pt": true, "ro": true, "se": true, "si": true, "sk": true}

// placeNames are names as customers write them, in the languages that are spoken
// here; with the places where most of them live.
var placeNames = func() map[string]string {
	m := map[string]string{}
	for _, line := range []string{
		"us:united states|usa|u s a|the states|america|états unis|etats unis|estados unidos|vereinigte staaten|contiguous states|contiguous",
		"us:alabama|arizona|arkansas|california|colorado|connecticut|delaware|florida|idaho|illinois|indiana|iowa|kansas|kentucky|louisiana|maine|maryland|massachusetts|michigan|minnesota|mississippi|missouri|montana|nebraska|nevada|new hampshire|new jersey|new mexico|new york|north carolina|north dakota|ohio|oklahoma|oregon|pennsylvania|rhode island|south carolina|south dakota|tennessee|texas|utah|vermont|virginia|wisconsin|wyoming",
		"us:chicago|los angeles|houston|phoenix|philadelphia|san antonio|san diego|dallas|austin|seattle|denver|boston|portland|atlanta|miami|san francisco|detroit|minneapolis|nyc|brooklyn",
		"ak:alaska|anchorage", "hi:hawaii|honolulu|maui", "mil:military|apo|fpo|dpo",
		"ca:canada|kanada|canadá|canadian|toronto|vancouver|montreal|montréal|calgary|ottawa|edmonton|ontario|quebec|québec|british columbia|alberta|manitoba|nova scotia",
		"gb:united kingdom|great britain|britain|england|scotland|wales|london|royaume uni|grande bretagne|reino unido|großbritannien|vereinigtes königreich",
		"ch:switzerland|schweiz|suisse|suiza|zürich|zurich|geneva|genf|genève", "no:norway|norwegen|norvège|noruega|oslo",
		"eu:european union|europe|europa|europäische union|union européenne|unión europea",
		"at:austria|österreich|autriche|vienna|wien", "be:belgium|belgien|belgique|brussels|bruxelles", "bg:bulgaria|bulgarien", "hr:croatia|kroatien",
		"cy:cyprus|zypern", "cz:czech|tschechien|prague|prag", "dk:denmark|dänemark|danemark|copenhagen", "ee:estonia|estland", "fi:finland|finnland|finlande|helsinki",
		"fr:france|frankreich|francia|lyon|marseille|toulouse|bordeaux|lille|strasbourg", "de:germany|deutschland|allemagne|alemania|berlin|hamburg|munich|münchen|köln|frankfurt",
		"gr:greece|griechenland|grèce|athens", "hu:hungary|ungarn|budapest", "ie:ireland|irland|irlande|dublin", "it:italy|italien|italie|italia|rome|rom|milan|mailand",
		"lv:latvia|lettland", "lt:lithuania|litauen", "lu:luxembourg|luxemburg", "mt:malta", "nl:netherlands|niederlande|pays bas|holland|amsterdam|países bajos",
		"pl:poland|polen|pologne|warsaw|warschau", "pt:portugal|lisbon|lissabon", "ro:romania|rumänien", "sk:slovakia|slowakei", "si:slovenia|slowenien",
		"es:spain|spanien|espagne|españa|madrid|barcelona", "se:sweden|schweden|suède|stockholm",
	} {
		code, names, _ := strings.Cut(line, ":")
		for _, name := range strings.Split(names, "|") {
			m[" "+name+" "] = code
		}
	}
	return m
}()
