package filter

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"weir/shared/fault"
)

// maxCategories is how many categories of consent one connection requires.
const maxCategories = 100

// How many of the categories a user has to have consented to.
const (
	All = "all"
	Any = "any"
)

// Consent is what users have to have consented to. Require is All, which is meant when it
// is empty, or Any.
type Consent struct {
	Categories []string `json:"categories" doc:"Names of categories of consent"`
	Require    string   `json:"require,omitempty" one:"all,any" doc:"How many of the categories; all when absent"`
}

// Check lists what is wrong with c, under path. Codes: required, too_many, too_large,
// duplicate_name, not_in_enum.
func (c Consent) Check(path string) (problems []fault.Problem) {
	add := func(at, code, text string) {
		problems = append(problems, fault.Problem{Path: path + at, Code: code, Text: text})
	}
	if len(c.Categories) == 0 {
		add(".categories", "required", "Name one category of consent or more.")
	}
	if len(c.Categories) > maxCategories {
		add(".categories", "too_many", fmt.Sprintf("A connection requires at most %d categories of consent.", maxCategories))
		return problems
	}
	for i, name := range c.Categories {
		at := fmt.Sprintf(".categories[%d]", i)
		switch {
		case name == "":
			add(at, "required", "Here the name of a category is missing.")
		case len(name) > maxName || !utf8.ValidString(name):
			add(at, "too_large", fmt.Sprintf("A category's name is at most %d bytes of text.", maxName))
		case slices.Index(c.Categories, name) < i:
			add(at, "duplicate_name", "This category is named twice.")
		}
	}
	if c.Require != "" && c.Require != All && c.Require != Any {
		add(".require", "not_in_enum", "require is all or any.")
	}
	return problems
}

// Given is what an event says of its user's consent.
type Given struct {
	Preferences map[string]bool // context.consent.categoryPreferences
	Allowed     []string        // context.consentManagement.allowedConsentIds
	Denied      []string        // context.consentManagement.deniedConsentIds
	Lists       bool            // there are allowedConsentIds
}

// Permits reports whether g is enough. A category that preferences or allowed ids do not
// name is not consented to; one that either of the two denies is denied.
func (c *Consent) Permits(g *Given) bool {
	for _, name := range c.Categories {
		if g.permits(name) != (c.Require != Any) {
			return c.Require == Any
		}
	}
	return c.Require != Any
}

func (g *Given) permits(category string) bool {
	if slices.Contains(g.Denied, category) {
		return false
	}
	if stated, ok := g.Preferences[category]; ok {
		return stated
	}
	if g.Lists {
		return slices.Contains(g.Allowed, category)
	}
	return g.Preferences == nil // there are denied ids alone
}
