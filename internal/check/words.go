package check

var currencies = map[string]string{
	"$": "usd", "usd": "usd", "dollar": "usd", "dollars": "usd", "bucks": "usd",
	"€": "eur", "eur": "eur", "euro": "eur", "euros": "eur",
	"£": "gbp", "gbp": "gbp", "pound": "gbp", "pounds": "gbp",
	"cent": "cent", "cents": "cent", "p": "cent", "pence": "cent", "penny": "cent", "rs": "inr", "rupee": "inr", "¥": "jpy", "yen": "jpy", "₹": "inr", "rupees": "inr",
	"chf": "chf", "fr": "chf", "sfr": "chf", "franken": "chf", "francs": "chf", "dólar": "usd", "dólares": "usd", "us-dollar": "usd", "sterling": "gbp", "quid": "gbp", "libras": "gbp", "nzd": "nzd", "sgd": "sgd", "sek": "sek", "nok": "nok", "dkk": "dkk", "kr": "kr", "pln": "pln", "zł": "pln", "inr": "inr", "jpy": "jpy", "mxn": "mxn", "brl": "brl", "¢": "cent", "centimes": "cent", "céntimos": "cent", "centavos": "cent", "reais": "brl", "pesos": "peso", "cad": "cad", "aud": "aud",
}

// nations may stand between a number and its currency.
var nations = map[string]bool{"us": true, "american": true, "canadian": true, "australian": true, "british": true, "swiss": true, "indian": true}

var nationOf = map[string]string{"canadian": "ca", "australian": "au"}

// adjacentWord: currency words that stand before a number only by accident
// ("dollars 5").
func adjacentWord(w string) bool { return len(w) > 3 }

type unit struct {
	n  float64
	of string
}

var units = map[string]unit{
	"second": {1. / 60, "minutes"}, "seconds": {1. / 60, "minutes"}, "sec": {1. / 60, "minutes"},
	"minute": {1, "minutes"}, "minutes": {1, "minutes"}, "min": {1, "minutes"}, "mins": {1, "minutes"}, "minuten": {1, "minutes"}, "minutos": {1, "minutes"},
	"hour": {60, "minutes"}, "hours": {60, "minutes"}, "hr": {60, "minutes"}, "hrs": {60, "minutes"}, "stunde": {60, "minutes"}, "stunden": {60, "minutes"}, "heures": {60, "minutes"}, "heure": {60, "minutes"}, "horas": {60, "minutes"}, "hora": {60, "minutes"},
	"day": {1440, "minutes"}, "days": {1440, "minutes"}, "tag": {1440, "minutes"}, "tage": {1440, "minutes"}, "tagen": {1440, "minutes"}, "jour": {1440, "minutes"}, "jours": {1440, "minutes"}, "día": {1440, "minutes"}, "días": {1440, "minutes"}, "dia": {1440, "minutes"}, "dias": {1440, "minutes"},
	"week": {10080, "minutes"}, "weeks": {10080, "minutes"}, "woche": {10080, "minutes"}, "wochen": {10080, "minutes"}, "semaine": {10080, "minutes"}, "semaines": {10080, "minutes"}, "semana": {10080, "minutes"}, "semanas": {10080, "minutes"},
	"fortnight": {20160, "minutes"},
	"month":     {1, "months"}, "months": {1, "months"}, "monat": {1, "months"}, "monate": {1, "months"}, "monaten": {1, "months"}, "mois": {1, "months"}, "mes": {1, "months"}, "meses": {1, "months"}, "mês": {1, "months"},
	"year": {12, "months"}, "years": {12, "months"}, "yr": {12, "months"}, "jahr": {12, "months"}, "jahre": {12, "months"}, "jahren": {12, "months"}, "an": {12, "months"}, "ans": {12, "months"}, "año": {12, "months"}, "años": {12, "months"}, "ano": {12, "months"}, "anos": {12, "months"},
	"decade": {120, "months"}, "decades": {120, "months"}, "quarters": {3, "months"}, "trimestre": {3, "months"}, "trimestres": {3, "months"}, "fortnights": {20160, "minutes"},
	"d": {1440, "minutes"}, "h": {60, "minutes"}, "wk": {10080, "minutes"}, "wks": {10080, "minutes"}, "yrs": {12, "months"}, "mo": {1, "months"}, "mos": {1, "months"},
	"segundos": {1. / 60, "minutes"}, "secondes": {1. / 60, "minutes"}, "sekunden": {1. / 60, "minutes"}, "minuto": {1, "minutes"}, "année": {12, "months"}, "années": {12, "months"}, "quartal": {3, "months"},
	"workday": {1, "business days"}, "workdays": {1, "business days"}, "weekdays": {1, "business days"}, "geschäftstage": {1, "business days"}, "geschäftstagen": {1, "business days"}, "bankarbeitstage": {1, "business days"}, "bankarbeitstagen": {1, "business days"},
	"werktag": {1, "business days"}, "werktage": {1, "business days"}, "werktagen": {1, "business days"}, "arbeitstage": {1, "business days"}, "arbeitstagen": {1, "business days"},
}

var numberWords = map[string]float64{
	"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
	"eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19,
	"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100,
	"ein": 1, "eine": 1, "einen": 1, "einer": 1, "einem": 1, "zwei": 2, "drei": 3, "vier": 4, "fünf": 5, "sechs": 6, "sieben": 7, "acht": 8, "neun": 9, "zehn": 10, "elf": 11, "zwölf": 12, "dreizehn": 13, "vierzehn": 14, "fünfzehn": 15, "zwanzig": 20, "einundzwanzig": 21, "fünfundzwanzig": 25, "dreißig": 30, "dreissig": 30, "vierzig": 40, "fünfundvierzig": 45, "fünfzig": 50, "sechzig": 60, "siebzig": 70, "achtzig": 80, "neunzig": 90, "hundert": 100, "zweihundert": 200, "fünfhundert": 500,
	"un": 1, "une": 1, "deux": 2, "trois": 3, "quatre": 4, "cinq": 5, "sept": 7, "huit": 8, "neuf": 9, "dix": 10, "onze": 11, "douze": 12, "quatorze": 14, "quinze": 15, "vingt": 20, "trente": 30, "quarante": 40, "cinquante": 50, "soixante": 60, "cent": 100,
	"una": 1, "dos": 2, "tres": 3, "cuatro": 4, "cinco": 5, "seis": 6, "siete": 7, "ocho": 8, "nueve": 9, "diez": 10, "doce": 12, "catorce": 14, "quince": 15, "veinte": 20, "veinticuatro": 24, "veintiocho": 28, "treize": 13, "seize": 16, "huitante": 80, "trece": 13, "dieciséis": 16, "treinta": 30, "cuarenta": 40, "cincuenta": 50, "sesenta": 60, "noventa": 90, "cien": 100, "um": 1, "uma": 1, "dois": 2, "duas": 2, "três": 3, "quatro": 4, "sete": 7, "oito": 8, "nove": 9, "dez": 10, "trinta": 30, "sessenta": 60,
}

var months = map[string]int{
	"january": 1, "jan": 1, "february": 2, "feb": 2, "march": 3, "april": 4, "apr": 4, "may": 5, "june": 6, "jun": 6, "july": 7, "jul": 7,
	"august": 8, "aug": 8, "september": 9, "sept": 9, "sep": 9, "october": 10, "oct": 10, "november": 11, "nov": 11, "december": 12, "dec": 12,
	"januar": 1, "februar": 2, "märz": 3, "mai": 5, "juni": 6, "juli": 7, "jänner": 1, "oktober": 10, "dezember": 12,
	"janvier": 1, "février": 2, "mars": 3, "avril": 4, "juin": 6, "juillet": 7, "août": 8, "septembre": 9, "octobre": 10, "novembre": 11, "décembre": 12,
	"enero": 1, "febrero": 2, "marzo": 3, "abril": 4, "mayo": 5, "junio": 6, "julio": 7, "agosto": 8, "septiembre": 9, "octubre": 10, "noviembre": 11, "diciembre": 12,
	"janeiro": 1, "fevereiro": 2, "março": 3, "maio": 5, "junho": 6, "julho": 7, "setembro": 9, "outubro": 10, "novembro": 11, "dezembro": 12,
}

// weekdays by any of their names; the value is the English one.
var weekdays = map[string]string{
	"monday": "monday", "tuesday": "tuesday", "wednesday": "wednesday", "thursday": "thursday", "friday": "friday", "saturday": "saturday", "sunday": "sunday",
	"mondays": "monday", "tuesdays": "tuesday", "wednesdays": "wednesday", "thursdays": "thursday", "fridays": "friday", "saturdays": "saturday", "sundays": "sunday",
	"montag": "monday", "dienstag": "tuesday", "mittwoch": "wednesday", "donnerstag": "thursday", "freitag": "friday", "samstag": "saturday", "sonntag": "sunday",
	"lundi": "monday", "mardi": "tuesday", "mercredi": "wednesday", "jeudi": "thursday", "vendredi": "friday", "samedi": "saturday", "dimanche": "sunday",
	"lunes": "monday", "martes": "tuesday", "miércoles": "wednesday", "jueves": "thursday", "viernes": "friday", "sábado": "saturday", "domingo": "sunday",
}

// beforeMonth are words after which a month stands alone: "by December".
var beforeMonth = map[string]bool{
	"by": true, "in": true, "until": true, "till": true, "since": true, "before": true, "after": true, "from": true, "through": true, "end": true, "of": true,
	"im": true, "bis": true, "ab": true, "en": true, "d'ici": true, "hasta": true, "desde": true, "em": true, "até": true,
}

var percentSigns = map[string]bool{"%": true, "percent": true, "pct": true, "prozent": true, "percentage-point": true}

// businessWords make working days of days; businessAfter do so from behind.
var (
	businessWords = map[string]bool{"business": true, "working": true, "bank": true, "banking": true, "work": true, "weekday": true}
	businessAfter = map[string]bool{"ouvré": true, "ouvrés": true, "ouvrable": true, "ouvrables": true, "hábil": true, "hábiles": true, "laborable": true, "laborables": true, "útil": true, "úteis": true}
)

// dollars are prefixes of the dollar sign.
var dollars = map[string]string{"us": "usd", "a": "aud", "au": "aud", "c": "cad", "ca": "cad", "r": "brl", "nz": "nzd", "s": "sgd", "hk": "hkd"}
