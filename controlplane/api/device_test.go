package api_test

import (
	"net/url"
	"strings"
	"testing"
)

// begun begins the sign-in of a program, and returns its secret code and the short one.
func (d *harness) begun(device string) (code, short string) {
	d.t.Helper()
	got := d.want(d.send("POST", "/api/v1/login/device", text(d.t, map[string]string{"device": device}), "User-Agent", "weir/test"), 200)
	code, short = got.field(d.t, "deviceCode").(string), got.field(d.t, "userCode").(string)
	if page := got.field(d.t, "verificationUriComplete"); page != d.url+"/device?code="+url.QueryEscape(short) || got.field(d.t, "expiresIn") != 600.0 {
		d.t.Errorf("a sign-in began with %s", got.text)
	}
	return code, short
}

// finish asks for the token of a code.
func (d *harness) finish(code string) answer {
	d.t.Helper()
	return d.send("POST", "/api/v1/login/device/token", text(d.t, map[string]string{"deviceCode": code}))
}

func TestProgramsSignInThroughABrowser(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	ann := d.signedIn(d.email, d.password, "")
	code, short := d.begun("ann@laptop")
	want := func(code, problem string) {
		t.Helper()
		if got := d.want(d.finish(code), 400); got.field(t, "code") != problem || got.field(t, "problems", "0", "code") != problem {
			t.Errorf("got %s, want %s", got.text, problem)
		}
	}
	want(code, "authorization_pending")
	for n := 0; d.want(d.finish(code), 400).field(t, "code") != "slow_down"; n++ {
		if n == 100 {
			t.Fatal("a program that asks without a pause is not slowed down")
		}
	}

	at := "/api/v1/me/device-logins/" + strings.ToLower(strings.ReplaceAll(short, "-", ""))
	shown := d.want(d.send("GET", at, "", ann...), 200)
	if shown.field(t, "device") != "ann@laptop" || shown.field(t, "address") != "127.0.0.1" || shown.field(t, "agent") != "weir/test" || shown.field(t, "token") != "login by ann@laptop" {
		t.Errorf("the program is %s", shown.text)
	}
	d.want(d.send("GET", at, ""), 401)
	d.want(d.as("owner", "GET", at, ""), 403) // a token lets nobody in
	d.want(d.as("owner", "POST", at+"/allow", ""), 403)
	d.want(d.send("POST", at+"/allow", "", ann[:2]...), 403) // a page of others
	d.want(d.send("POST", at+"/allow", "", ann...), 204)
	d.want(d.send("POST", at+"/refuse", "", ann...), 404) // decided once
	d.want(d.send("GET", at, "", ann...), 404)

	made := d.want(d.finish(code), 200)
	if made.field(t, "name") != "login by ann@laptop" || made.field(t, "email") != d.email {
		t.Errorf("the token is %s", made.text)
	}
	token := made.field(t, "token").(string)
	if me := d.want(d.send("GET", "/api/v1/me", "", "Authorization", "Bearer "+token), 200); me.field(t, "role") != "owner" || me.field(t, "kind") != "token" {
		t.Errorf("with the token the caller is %s", me.text)
	}
	want(code, "expired_token") // once

	// Again from the same place: the token is replaced, and the other is good no more.
	second, short := d.begun("ann@laptop")
	d.want(d.send("POST", "/api/v1/me/device-logins/"+short+"/allow", "", ann...), 204)
	again := d.want(d.finish(second), 200).field(t, "token").(string)
	d.want(d.send("GET", "/api/v1/me", "", "Authorization", "Bearer "+token), 401)
	if own := d.want(d.send("GET", "/api/v1/me/tokens", "", "Authorization", "Bearer "+again), 200); strings.Count(string(own.text), "login by ann@laptop") != 1 {
		t.Errorf("the person's tokens are %s", own.text)
	}

	third, short := d.begun("mallory@elsewhere")
	d.want(d.send("POST", "/api/v1/me/device-logins/"+short+"/refuse", "", ann...), 204)
	want(third, "access_denied")

	log := string(d.want(d.as("operator", "GET", "/api/v1/audit?limit=500", ""), 200).text) + string(d.want(d.send("GET", "/api/v1/audit?limit=500", "", ann...), 200).text)
	for _, action := range []string{"login.allow", "login.refuse", "login.use", "token.create"} {
		if !strings.Contains(log, action) {
			t.Errorf("the audit log has no %s", action)
		}
	}
	if strings.Contains(log, code) || strings.Contains(log, short) {
		t.Error("the audit log holds a code")
	}
}

func TestFewCodesOfProgramsAreGuessed(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	ann := d.signedIn(d.email, d.password, "")
	_, short := d.begun("ann@laptop")
	for range 10 {
		d.want(d.send("GET", "/api/v1/me/device-logins/BBBB-BBBB", "", ann...), 404)
	}
	d.want(d.send("GET", "/api/v1/me/device-logins/"+short, "", ann...), 429)
	d.want(d.send("POST", "/api/v1/me/device-logins/"+short+"/allow", "", ann...), 429)
	for range 60 {
		d.want(d.finish("guess"), 400)
	}
	d.want(d.finish("guess"), 429)
	for _, device := range []string{"", strings.Repeat("a", 81), "a\u0000b", "jürgen@laptop"} {
		d.want(d.send("POST", "/api/v1/login/device", text(t, map[string]string{"device": device})), 422)
	}
	for range 29 {
		d.begun("somebody")
	}
	d.want(d.send("POST", "/api/v1/login/device", `{"device":"somebody"}`), 429)
}
