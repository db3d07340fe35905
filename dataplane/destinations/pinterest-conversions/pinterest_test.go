package pinterest_test

import (
	_ "embed"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"weir/dataplane/destination/destinationtest"
	"weir/dataplane/destination/mapping"
)

//go:embed spec.yaml
var spec []byte

type event struct {
	Name    string `json:"event_name"`
	Source  string `json:"action_source"`
	Time    int64  `json:"event_time"`
	ID      string `json:"event_id"`
	URL     string `json:"event_source_url"`
	OptOut  bool   `json:"opt_out"`
	Partner string `json:"partner_name"`
	User    struct {
		Email    []string `json:"em"`
		Phone    []string `json:"ph"`
		Gender   []string `json:"ge"`
		Birth    []string `json:"db"`
		Last     []string `json:"ln"`
		First    []string `json:"fn"`
		City     []string `json:"ct"`
		State    []string `json:"st"`
		Zip      []string `json:"zp"`
		Country  []string `json:"country"`
		Mobile   []string `json:"hashed_maids"`
		External []string `json:"external_id"`
		Click    string   `json:"click_id"`
		IP       string   `json:"client_ip_address"`
		Agent    string   `json:"client_user_agent"`
	} `json:"user_data"`
	Custom struct {
		Currency string   `json:"currency"`
		Value    string   `json:"value"`
		IDs      []string `json:"content_ids"`
		Name     string   `json:"content_name"`
		Category string   `json:"content_category"`
		Brand    string   `json:"content_brand"`
		Contents []struct {
			ID       string `json:"id"`
			Price    string `json:"item_price"`
			Quantity int    `json:"quantity"`
			Name     string `json:"item_name"`
			Category string `json:"item_category"`
			Brand    string `json:"item_brand"`
		} `json:"contents"`
		Items  *int   `json:"num_items"`
		Order  string `json:"order_id"`
		Search string `json:"search_string"`
		OptOut string `json:"opt_out_type"`
	} `json:"custom_data"`
	AppID    string `json:"app_id"`
	AppName  string `json:"app_name"`
	Version  string `json:"app_version"`
	Brand    string `json:"device_brand"`
	Carrier  string `json:"device_carrier"`
	Model    string `json:"device_model"`
	OS       string `json:"os_version"`
	Language string `json:"language"`
}

// problem is why Pinterest refuses an event, alone.
func (e event) problem() string {
	age := destinationtest.Now().Sub(time.Unix(e.Time, 0))
	u := e.User
	for _, of := range [][]string{u.Email, u.Phone, u.Gender, u.Birth, u.Last, u.First, u.City, u.State, u.Zip, u.Country, u.Mobile, u.External} {
		if !destinationtest.Hashed(of...) {
			return "user_data has to be hashed"
		}
	}
	switch {
	case e.Name == "" || e.ID == "" || e.Source == "":
		return "event_name, event_id and action_source are required"
	case age > 7*24*time.Hour || age < -time.Hour:
		return "event_time is out of range"
	case len(u.Email)+len(u.Mobile) == 0 && (u.IP == "" || u.Agent == ""):
		return "one of em, hashed_maids, client_ip_address with client_user_agent is required"
	case e.Custom.Currency != "" && len(e.Custom.Currency) != 3:
		return "currency is none"
	}
	return ""
}

// standIn is the Conversions API as its pages describe it.
func standIn() destinationtest.Vendor {
	return func(r *http.Request, body []byte) (int, string) {
		var in struct {
			Data []event `json:"data"`
		}
		switch {
		case r.Method != http.MethodPost || r.URL.Path != "/v5/ad_accounts/549/events":
			return 404, `{"code":0,"message":"Not found"}`
		case r.Header.Get("Authorization") != "Bearer made-up-pin-token":
			return 401, `{"code":2,"message":"Authentication failed."}`
		case strings.Contains(string(body), "loud"):
			return 429, `{"code":8,"message":"This request exceeded a rate limit."}`
		case r.URL.RawQuery != "" && r.URL.RawQuery != "test=true":
			return 400, `{"code":1,"message":"unknown query"}`
		}
		if err := destinationtest.Strict(body, &in); err != nil {
			return 400, fmt.Sprintf(`{"code":1,"message":%q}`, err)
		}
		if len(in.Data) == 0 || len(in.Data) > 1000 {
			return 400, `{"code":1,"message":"between 1 and 1000 events"}`
		}
		status, of, taken := 200, []string{}, 0
		for _, e := range in.Data {
			p := e.problem()
			if p == "" {
				of = append(of, `{"status":"processed","error_message":"","warning_message":""}`)
				taken++
				continue
			}
			status = 422
			of = append(of, fmt.Sprintf(`{"status":"failed","error_message":%q,"warning_message":""}`, p))
		}
		return status, fmt.Sprintf(`{"num_events_received":%d,"num_events_processed":%d,"events":[%s]}`, len(of), taken, strings.Join(of, ","))
	}
}

func track(n int, name, traits, properties string) string {
	return fmt.Sprintf(`{"messageId":"m%d","type":"track","userId":"ada","event":%q,"timestamp":"2026-01-02T03:04:00.000Z","context":{"traits":{%s}},"properties":{%s}}`, n, name, traits, properties)
}

func TestAnswersOfPinterest(t *testing.T) {
	t.Parallel()
	kind := mapping.Define(spec)()
	token, account, email := map[string]string{"accessToken": "made-up-pin-token"}, `"adAccountId":"549"`, `"email":"ada@example.com"`
	plain := track(1, "E", email, "")
	destinationtest.Exchanges(t, kind, standIn, map[string]destinationtest.Exchange{
		"all are taken":                 {Settings: account, Secrets: token, Events: []string{plain, track(2, "Order Completed", email, `"revenue":3,"products":[{"sku":"s","price":1.5}]`)}, Want: []string{"delivered", "delivered"}, Statuses: []int{200}},
		"one of two is refused":         {Settings: account, Secrets: token, Events: []string{track(1, "E", email, `"currency":"euro"`), track(2, "E", email, "")}, Want: []string{"dead pinterest_conversions_refused", "delivered"}, Statuses: []int{422}},
		"what is told as hashed is not": {Settings: account + `,"hashed":true`, Secrets: token, Events: []string{plain}, Want: []string{"dead pinterest_conversions_refused"}, Statuses: []int{422}},
		"an old event":                  {Settings: account, Secrets: token, Events: []string{strings.Replace(plain, "2026-01-02", "2025-12-20", 1)}, Want: []string{"dropped pinterest_conversions_too_old"}},
		"nobody":                        {Settings: account, Secrets: token, Events: []string{track(1, "E", `"email":"nobody"`, ""), track(2, "E", `"phone":"+41441234567"`, "")}, Want: []string{"dropped pinterest_conversions_no_identity", "dropped pinterest_conversions_no_identity"}},
		"a test":                        {Settings: account + `,"test":true`, Secrets: token, Events: []string{plain}, Want: []string{"delivered"}, Statuses: []int{200}},
		"a field that Pinterest lacks":  {Settings: account, Secrets: token, Events: []string{track(1, "E", email, `"products":[{"sku":"s","brand":7}]`), track(2, "E", email, "")}, Want: []string{"dead pinterest_conversions_refused", "delivered"}, Statuses: []int{400, 400, 200}},
		"another token":                 {Settings: account, Secrets: map[string]string{"accessToken": "another-token"}, Events: []string{plain}, Want: []string{"dead pinterest_conversions_token"}, Statuses: []int{401}},
		"too many requests":             {Settings: account, Secrets: token, Events: []string{track(1, "E", email, `"name":"loud"`)}, Want: []string{"retry busy"}, Statuses: []int{429}},
	})
	for _, more := range []string{"", `,"actionSource":"app_ios"`, `,"limitedDataProcessing":true`, `,"events":{"Something Else":"lead"}`} {
		destinationtest.ExchangeGenerated(t, kind, standIn, account+more, token)
	}
}
