package convert

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
	"unicode"
)

// The forms below are those that ads platforms ask for before a value is hashed.
// Sources: https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/customer-information-parameters,
// https://developers.google.com/data-manager/api/devguides/concepts/formatting,
// https://business.reddithelp.com/s/article/match-keys

// digest hashes a text in hex. A text that is such a hash already stays, in lower case.
func digest(hash string) func(string) string {
	return func(s string) string {
		if s == "" {
			return ""
		}
		var sum []byte
		switch hash {
		case "md5":
			h := md5.Sum([]byte(s))
			sum = h[:]
		case "sha1":
			h := sha1.Sum([]byte(s))
			sum = h[:]
		default:
			h := sha256.Sum256([]byte(s))
			sum = h[:]
		}
		if hashed(s, 2*len(sum)) {
			return strings.ToLower(s)
		}
		return hex.EncodeToString(sum)
	}
}

// space is the name space of UUIDs that are made of texts, 6ba7b811-9dad-11d1-80b4-00c04fd430c8.
// Source: https://www.rfc-editor.org/rfc/rfc9562#section-6.6
const space = "\x6b\xa7\xb8\x11\x9d\xad\x11\xd1\x80\xb4\x00\xc0\x4f\xd4\x30\xc8"

// uuid is a text that is a UUID in lower case, and of another text the one that it names.
func uuid(s string) string {
	if s == "" {
		return ""
	}
	if len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' && hashed(strings.ReplaceAll(s, "-", ""), 32) {
		return strings.ToLower(s)
	}
	h := sha1.Sum([]byte(space + s))
	h[6], h[8] = h[6]&0x0f|0x50, h[8]&0x3f|0x80
	x := hex.EncodeToString(h[:16])
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// hashed reports whether s is size hex digits.
func hashed(s string, size int) bool {
	return len(s) == size && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}

// unlessHashed leaves a SHA-256 in hex as it is.
func unlessHashed(f func(string) string) func(string) string {
	return func(s string) string {
		if s = strings.TrimSpace(s); s == "" || hashed(s, 64) {
			return s
		}
		return f(s)
	}
}

func email(s string) string {
	s = strings.ToLower(s)
	if at := strings.IndexByte(s, '@'); at < 1 || at == len(s)-1 || strings.ContainsFunc(s, unicode.IsSpace) {
		return ""
	}
	return s
}

// gmail is email as Google asks for it: no dots in front of its own domains.
func gmail(s string) string {
	s = email(s)
	local, domain, _ := strings.Cut(s, "@")
	if domain == "gmail.com" || domain == "googlemail.com" {
		local, _, _ = strings.Cut(strings.ReplaceAll(local, ".", ""), "+")
		if local == "" {
			return ""
		}
		return local + "@" + domain
	}
	return s
}

// canonicalEmail is email as Reddit asks for it: whatever the domain, letters and digits alone before the first + or the @.
func canonicalEmail(s string) string {
	local, domain, _ := strings.Cut(email(s), "@")
	local, _, _ = strings.Cut(local, "+")
	if local = kept(local, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }); local == "" {
		return ""
	}
	return local + "@" + domain
}

// phone is E.164: +, the country code and 15 digits at most in all.
func phone(s string) string {
	if digits := phoneDigits(s); digits != "" {
		return "+" + digits
	}
	return ""
}

func phoneDigits(s string) string {
	digits := strings.TrimLeft(kept(s, func(r rune) bool { return r >= '0' && r <= '9' }), "0")
	if len(digits) < 7 || len(digits) > 15 {
		return ""
	}
	return digits
}

// kept is the characters of s for which keep holds.
func kept(s string, keep func(rune) bool) string {
	return strings.Map(func(r rune) rune {
		if keep(r) {
			return r
		}
		return -1
	}, s)
}

// name is in lower case without punctuation.
func name(s string) string {
	return strings.TrimSpace(kept(strings.ToLower(s), func(r rune) bool { return !unicode.IsPunct(r) && !unicode.IsSymbol(r) && !unicode.IsControl(r) }))
}

// letters are in lower case, without spaces, digits and punctuation.
func letters(s string) string { return kept(strings.ToLower(s), unicode.IsLetter) }

// zip is in lower case without spaces and dashes; of a US one the first five digits.
func zip(s string) string {
	s = kept(strings.ToLower(s), func(r rune) bool { return !unicode.IsSpace(r) && r != '-' })
	if len(s) == 9 && strings.Trim(s, "0123456789") == "" {
		s = s[:5]
	}
	return s
}

// country is the code of two letters; names of countries are none.
func country(s string) string {
	if s = strings.ToLower(s); len(s) == 2 && letters(s) == s {
		return s
	}
	return ""
}

func gender(s string) string {
	switch s = strings.ToLower(s); {
	case s == "f" || s == "female" || s == "woman":
		return "f"
	case s == "m" || s == "male" || s == "man":
		return "m"
	}
	return ""
}

// birthday is YYYYMMDD.
func birthday(s string) string {
	if digits := strings.Trim(s, "0123456789"); len(s) == 8 && digits == "" {
		return s
	}
	at, ok := Text(s).Time()
	if !ok {
		return ""
	}
	return at.Format("20060102")
}

// language and region are the parts of a locale such as en-GB or zh_Hant_TW.
func language(s string) string {
	part, _, _ := strings.Cut(strings.ReplaceAll(s, "_", "-"), "-")
	if len(part) < 2 || len(part) > 3 || letters(part) != strings.ToLower(part) {
		return ""
	}
	return strings.ToLower(part)
}

func region(s string) string {
	_, rest, _ := strings.Cut(strings.ReplaceAll(s, "_", "-"), "-")
	for part := range strings.SplitSeq(rest, "-") {
		if len(part) == 2 && letters(part) == strings.ToLower(part) || len(part) == 3 && strings.Trim(part, "0123456789") == "" {
			return strings.ToUpper(part)
		}
	}
	return ""
}

func host(s string) string {
	if u, err := url.Parse(s); err == nil {
		return u.Hostname()
	}
	return ""
}

func path(s string) string {
	if u, err := url.Parse(s); err == nil {
		return u.EscapedPath()
	}
	return ""
}
