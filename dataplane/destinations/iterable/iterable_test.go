package iterable_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/destination/destinationtest"
	"weir/dataplane/destinations/iterable"
)

const key = "made-up-iterable-key"

var address = regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s]+$`)

// who is the user of an event, or one that is updated.
type who struct {
	Email  string `json:"email"`
	UserID string `json:"userId"`
	Prefer *bool  `json:"preferUserId"`
}

type element struct {
	who
	Event  string         `json:"eventName"`
	ID     string         `json:"id"`
	At     int64          `json:"createdAt"`
	Merge  bool           `json:"mergeNestedObjects"`
	Fields map[string]any `json:"dataFields"`
}

type commerce struct {
	ID    string `json:"id"`
	User  who    `json:"user"`
	Items []struct {
		ID         string         `json:"id"`
		SKU        string         `json:"sku"`
		Name       string         `json:"name"`
		Price      *float64       `json:"price"`
		Quantity   *int           `json:"quantity"`
		Categories []string       `json:"categories"`
		URL        string         `json:"url"`
		ImageURL   string         `json:"imageUrl"`
		Fields     map[string]any `json:"dataFields"`
	} `json:"items"`
	Total  *float64       `json:"total"`
	At     int64          `json:"createdAt"`
	Fields map[string]any `json:"dataFields"`
}

func strict(text []byte, to any) (bad bool) {
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	return dec.Decode(to) != nil
}

// answer is Iterable as its pages describe it: it refuses what Iterable refuses.
func answer(s *destinationtest.Keeper, r *http.Request) (int, string) {
	text, err := io.ReadAll(r.Body)
	switch {
	case err != nil || r.Method != "POST" || r.Header.Get("Content-Type") != "application/json":
		return 404, ""
	case r.Header.Get("Api-Key") != key:
		return 401, `{"msg":"Invalid API key","code":"BadApiKey","params":null}`
	case len(text) > 4<<20:
		return 413, ""
	case strings.Contains(string(text), "loud"):
		return 429, `{"msg":"rate limit","code":"RateLimitExceeded"}`
	case strings.Contains(string(text), "down"):
		return 500, `{"msg":"","code":"GenericError"}`
	case strings.Contains(string(text), "mystery"):
		return 200, `{"successCount":0,"failCount":1}`
	}
	switch r.URL.Path {
	case "/api/events/trackBulk", "/api/users/bulkUpdate":
		return bulk(s, r.URL.Path, text)
	case "/api/users/updateEmail":
		var in struct{ CurrentEmail, CurrentUserID, NewEmail string }
		if strict(text, &in) || !address.MatchString(in.NewEmail) || (in.CurrentEmail == "") == (in.CurrentUserID == "") {
			return 400, `{"msg":"Invalid email","code":"InvalidEmailAddressError"}`
		}
		s.Taken = append(s.Taken, "renamed "+in.NewEmail)
		return 200, `{"msg":"","code":"Success"}`
	case "/api/commerce/trackPurchase", "/api/commerce/updateCart":
		return purchase(s, strings.TrimPrefix(r.URL.Path, "/api/commerce/"), text)
	}
	return 404, ""
}

func purchase(s *destinationtest.Keeper, call string, text []byte) (int, string) {
	var in commerce
	bad := strict(text, &in) || in.User.Email+in.User.UserID == "" || len(in.Items) == 0 || (call == "trackPurchase") != (in.Total != nil)
	for _, item := range in.Items {
		bad = bad || item.ID == "" || item.Name == "" || item.Price == nil || item.Quantity == nil
	}
	switch {
	case bad || in.Fields["bad"] != nil:
		return 400, `{"msg":"Invalid item","code":"BadParams"}`
	case in.User.UserID == "nobody":
		return 400, `{"msg":"Invalid userId","code":"InvalidUserIdError"}`
	}
	s.Taken = append(s.Taken, fmt.Sprint(call, " ", len(in.Items)))
	return 200, `{"msg":"","code":"Success"}`
}

// bulk answers 200 for what it takes and refuses.
func bulk(s *destinationtest.Keeper, path string, text []byte) (int, string) {
	var in struct {
		Events []element `json:"events"`
		Users  []element `json:"users"`
	}
	if strict(text, &in) || (path == "/api/events/trackBulk") != (len(in.Events) > 0) {
		return 400, `{"msg":"[/api] Invalid JSON body","code":"BadJsonBody"}`
	}
	all := append(in.Events, in.Users...)
	if len(all) > s.Most {
		return 413, ""
	}
	var users, emails, names []string
	for _, e := range all {
		switch {
		case e.Fields["bad"] != nil:
			return 400, `{"msg":"Invalid field","code":"BadParams"}`
		case e.Email != "" && strings.HasSuffix(e.Email, "@invalid.example"):
			emails = append(emails, e.Email)
		case e.UserID == "nobody" || e.Email+e.UserID == "":
			users = append(users, e.UserID)
		case e.Event == "Forbidden":
			names = append(names, e.Event)
		default:
			s.Taken = append(s.Taken, strings.TrimSpace(e.Event+" "+e.UserID+e.Email))
		}
	}
	list := func(all []string) string {
		text, _ := json.Marshal(append([]string{}, all...))
		return string(text)
	}
	return 200, fmt.Sprintf(`{"successCount":%d,"failCount":%d,"invalidEmails":%s,"invalidUserIds":[],"filteredOutFields":[],"disallowedEventNames":%s,"failedUpdates":{"invalidEmails":%s,"invalidUserIds":%s,"notFoundEmails":[]}}`,
		len(all)-len(users)-len(emails), len(users)+len(emails), list(emails), list(names), list(emails), list(users))
}

func TestAnswersOfIterable(t *testing.T) {
	t.Parallel()
	track := func(n int, user, more string) string {
		return fmt.Sprintf(`{"messageId":"m%d","type":"track","userId":%q,"event":"E%d","properties":{"n":%d%s}}`, n, user, n, n, more)
	}
	order := func(user, more string) string {
		return fmt.Sprintf(`{"messageId":"m1","type":"track","userId":%q,"event":"Order Completed","properties":{"order_id":"o1","total":30,"products":[{"sku":"s","price":"3"}]%s}}`, user, more)
	}
	const bulk, update = "/api/events/trackBulk ", "/api/users/bulkUpdate "
	for name, tc := range map[string]struct {
		settings string // further ones
		key      string
		most     int
		events   []string
		want     []string
		taken    []string
		codes    []string
	}{
		"all are taken":               {"", key, 9, []string{`{"messageId":"m1","type":"identify","userId":"ada","traits":{"a":1}}`, track(2, "ada", ""), track(3, "bob", "")}, []string{"delivered", "delivered", "delivered"}, []string{"ada", "E2 ada", "E3 bob"}, []string{update + "200", bulk + "200"}},
		"a 200 that lists a userId":   {"", key, 9, []string{track(1, "ada", ""), track(2, "nobody", ""), track(3, "ada", "")}, []string{"delivered", "dead iterable_bad_user", "delivered"}, []string{"E1 ada", "E3 ada"}, []string{bulk + "200"}},
		"a 200 that lists an address": {`,"preferUserId":false`, key, 9, []string{`{"messageId":"m1","type":"identify","traits":{"email":"x@invalid.example"}}`, `{"messageId":"m2","type":"identify","traits":{"email":"y@a.example"}}`}, []string{"dead iterable_bad_user", "delivered"}, []string{"y@a.example"}, []string{update + "200"}},
		"a 200 that lists an event":   {"", key, 9, []string{`{"messageId":"m1","type":"track","userId":"ada","event":"Forbidden"}`, track(2, "ada", "")}, []string{"dead iterable_no_such_event", "delivered"}, []string{"E2 ada"}, []string{bulk + "200"}},
		"a 200 that counts alone":     {"", key, 9, []string{track(1, "ada", `,"x":"mystery"`), track(2, "ada", "")}, []string{"dead iterable_refused", "delivered"}, []string{"E2 ada"}, []string{bulk + "200", bulk + "200", bulk + "200"}},
		"one spoils a batch":          {"", key, 9, []string{track(1, "ada", `,"bad":1`), track(2, "ada", "")}, []string{"dead iterable_refused", "delivered"}, []string{"E2 ada"}, []string{bulk + "400", bulk + "400", bulk + "200"}},
		"a purchase":                  {"", key, 9, []string{order("ada", "")}, []string{"delivered"}, []string{"trackPurchase 1"}, []string{"/api/commerce/trackPurchase 200"}},
		"a purchase that is refused":  {"", key, 9, []string{order("ada", `,"bad":1`)}, []string{"dead iterable_refused"}, nil, []string{"/api/commerce/trackPurchase 400"}},
		"a purchase of nobody":        {"", key, 9, []string{order("nobody", "")}, []string{"dead iterable_bad_user"}, nil, []string{"/api/commerce/trackPurchase 400"}},
		"a cart":                      {"", key, 9, []string{`{"messageId":"m1","type":"track","userId":"ada","event":"Product Added","properties":{"products":[{"sku":"s","name":"n","price":1,"quantity":2},{"sku":"t"}]}}`}, []string{"delivered"}, []string{"updateCart 2"}, []string{"/api/commerce/updateCart 200"}},
		"an alias":                    {"", key, 9, []string{`{"messageId":"m1","type":"alias","previousId":"ada","userId":"ada@new.example"}`}, []string{"delivered"}, []string{"renamed ada@new.example"}, []string{"/api/users/updateEmail 200"}},
		"a wrong key":                 {"", "another-key", 9, []string{track(1, "ada", "")}, []string{"dead rejected_401"}, nil, []string{bulk + "401"}},
		"too large a batch is split":  {"", key, 2, []string{track(1, "ada", ""), track(2, "ada", ""), track(3, "ada", "")}, []string{"delivered", "delivered", "delivered"}, []string{"E1 ada", "E2 ada", "E3 ada"}, []string{bulk + "413", bulk + "200", bulk + "200"}},
		"who sends too much":          {"", key, 9, []string{track(1, "ada", `,"x":"loud"`)}, []string{"retry busy"}, nil, []string{bulk + "429"}},
		"Iterable has a rest":         {"", key, 9, []string{track(1, "ada", `,"x":"down"`)}, []string{"retry server_error"}, nil, []string{bulk + "500"}},
		"what Iterable cannot take":   {"", key, 9, []string{`{"messageId":"m1","type":"track","anonymousId":"a","event":"E"}`, track(2, "ada", "")}, []string{"dropped iterable_no_user", "delivered"}, []string{"E2 ada"}, []string{bulk + "200"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := destinationtest.NewKeeper(t, tc.most, answer)
			got := destinationtest.Send(t, iterable.Kind(), `{"baseUrl":"`+s.URL+`"`+tc.settings+`}`, map[string]string{"apiKey": tc.key}, tc.events...)
			if diff := cmp.Diff(tc.want, got) + cmp.Diff(tc.taken, s.Taken) + cmp.Diff(tc.codes, s.Codes); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
