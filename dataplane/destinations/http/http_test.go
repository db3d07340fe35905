package http_test

import (
	"slices"
	"testing"

	"weir/dataplane/destination/destinationtest"
	"weir/dataplane/destinations/http"
	"weir/shared/fault"
)

// TestWhatCannotBeSentIsRefused: each problem names the setting.
func TestWhatCannotBeSentIsRefused(t *testing.T) {
	t.Parallel()
	for settings, at := range map[string]string{
		`{"url":"https://a.example{userId}/"}`:                                                           "settings.url",
		`{"url":"https://a.example/{userId"}`:                                                            "settings.url",
		`{"url":"https://a.example/{secrets.token}"}`:                                                    "settings.url",
		`{"url":"https://a.example/","body":{"a":"{propertys.x}"}}`:                                      "settings.body.a",
		`{"url":"https://a.example/","format":"xml"}`:                                                    "settings.body",
		`{"url":"https://a.example/","format":"xml","body":{"a b":"x"}}`:                                 "settings.body.a b",
		`{"url":"https://a.example/","headers":{"a b":"x"}}`:                                             "settings.headers.a b",
		`{"url":"https://a.example/","headers":{"content-length":"1"}}`:                                  "settings.headers.content-length",
		`{"url":"https://a.example/","auth":"none","username":"weir"}`:                                   "settings.auth",
		`{"url":"https://a.example/","auth":"oauth2","clientId":"weir"}`:                                 "settings.auth",
		`{"url":"https://a.example/","baseUrl":"https://b.example/?a=1"}`:                                "settings.baseUrl",
		`{"url":"https://a.example/","baseUrl":"https://b.example/{userId}"}`:                            "settings.baseUrl",
		`{"url":"https://a.example/{userId}","batch":{"size":2}}`:                                        "settings.batch",
		`{"url":"https://a.example/","format":"form","body":{"a":"{userId}"},"batch":{"size":2}}`:        "settings.batch",
		`{"url":"https://a.example/","headers":{"X-Id":"{messageId}"},"batch":{"size":2,"wait":"10ms"}}`: "settings.batch",
	} {
		_, err := http.Kind().Open([]byte(settings), nil)
		if !slices.ContainsFunc(fault.ProblemsOf(err), func(p fault.Problem) bool { return p.Path == at }) {
			t.Errorf("%s: %v, want a problem of %s", settings, err, at)
		}
	}
}

// TestRequestsAreAuthorised: what is secret comes after the request was built.
func TestRequestsAreAuthorised(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		settings            string
		secrets             map[string]string
		header, wantedValue string
	}{
		"basic":            {`"username":"weir"`, map[string]string{"password": "made-up"}, "Authorization", "Basic d2VpcjptYWRlLXVw"},
		"basic of secrets": {`"auth":"basic"`, map[string]string{"username": "weir", "password": "made-up"}, "Authorization", "Basic d2VpcjptYWRlLXVw"},
		"bearer":           {`"ordered":true`, map[string]string{"token": "made-up"}, "Authorization", "Bearer made-up"},
		"api key":          {`"apiKeyHeader":"X-Own"`, map[string]string{"apiKey": "made-up"}, "X-Own", "made-up"},
		"none":             {`"ordered":true`, nil, "Authorization", ""},
	} {
		server := destinationtest.NewServer(t)
		got := destinationtest.Send(t, http.Kind(), `{"url":"`+server.URL+`/{userId}",`+tc.settings+`}`, tc.secrets, `{"messageId":"m1","type":"track","userId":"ada"}`)
		all := server.Received()
		if !slices.Equal(got, []string{"delivered"}) || len(all) != 1 || all[0].Header.Get(tc.header) != tc.wantedValue || all[0].Path != "/ada" {
			t.Errorf("%s: results %v, received %+v", name, got, all)
		}
	}
}
