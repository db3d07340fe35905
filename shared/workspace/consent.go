package workspace

import "fmt"

// maxDescription is the longest description, in bytes.
const maxDescription = 1000

// ConsentCategory is one category of consent that users give, by the name that events
// call it by. Without any, connections may require categories of any name.
type ConsentCategory struct {
	Name        string `json:"name" doc:"What events call it: 1 to 64 letters, digits, spaces, '_', '-' and '.', a letter or digit first and last"`
	Description string `json:"description,omitempty" doc:"What users consent to, for those who read the configuration"`
}

// Key is the name.
func (c ConsentCategory) Key() string { return c.Name }

func (k *check) consentCategories(list []ConsentCategory) map[string]bool {
	names := map[string]bool{}
	for i, c := range list {
		at := fmt.Sprintf("consentCategories[%d]", i)
		switch {
		case !name().MatchString(c.Name):
			k.add(at+".name", "bad_name", "A name is 1 to 64 letters, digits, spaces, '_', '-' and '.', a letter or digit first and last.")
		case names[c.Name]:
			k.add(at+".name", "duplicate_name", "Another category is called %s.", c.Name)
		}
		if len(c.Description) > maxDescription {
			k.add(at+".description", "too_large", "The description is longer than %d bytes.", maxDescription)
		}
		names[c.Name] = true
	}
	return names
}

// consent checks that the categories of a connection are known, when the workspace lists some.
func (k *check) consent(at string, c Connection, known map[string]bool) {
	if c.Consent == nil || len(known) == 0 {
		return
	}
	for i, category := range c.Consent.Categories {
		if !known[category] {
			k.add(fmt.Sprintf("%s.consent.categories[%d]", at, i), "unknown_category", "This category is not among the consentCategories of the workspace.")
		}
	}
}
