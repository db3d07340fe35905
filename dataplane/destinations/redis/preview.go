package redis

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"weir/dataplane/destination"
)

// Preview returns the commands of a batch as requests: the command's name is the method,
// the body a JSON list of what follows it, as texts.
func (s *server) Preview(b destination.Batch) (reqs []destination.Request, verdicts []destination.Verdict) {
	address := fmt.Sprintf("redis://%s/%d", s.settings.Address, s.settings.Database)
	for i := range b.Items {
		var commands []redis.Cmder
		if code := s.add(context.Background(), s.client.TxPipeline(), &b.Items[i], &commands); code != "" {
			verdicts = append(verdicts, destination.Verdict{Item: i, Outcome: destination.Dropped, Code: code})
		}
		for _, c := range commands {
			words := []string{}
			for _, word := range c.Args()[1:] {
				if raw, ok := word.([]byte); ok {
					word = string(raw)
				}
				words = append(words, fmt.Sprint(word))
			}
			body, _ := json.Marshal(words) // texts always encode
			reqs = append(reqs, destination.Request{Method: strings.ToUpper(c.Name()), URL: address, Body: body, Items: []int{i}})
		}
	}
	return reqs, verdicts
}
