package splunk

import (
	"encoding/json"
	"iter"
	"strings"

	"weir.dev/weir/pkg/metrics"
)

// event is a message of a stream of server-sent events.
type event struct{ name, data string }

// events parts a stream as https://html.spec.whatwg.org/multipage/server-sent-events.html says, as far as Splunk
// uses it. What does not end with an empty line is no event yet.
func events(stream string) iter.Seq[event] {
	return func(yield func(event) bool) {
		var name string
		var data strings.Builder
		for line := range strings.Lines(stream) {
			line, whole := strings.CutSuffix(line, "\n")
			line = strings.TrimSuffix(line, "\r")
			field, value, _ := strings.Cut(line, ":")
			value = strings.TrimPrefix(value, " ")
			switch {
			case !whole:
			case line == "":
				if data.Len() > 0 && !yield(event{name, data.String()}) {
					return
				}
				name = ""
				data.Reset()
			case field == "event":
				name = value
			case field == "data":
				data.WriteString(value + "\n")
			}
		}
	}
}

// computation is what a stream has told so far, in the messages of
// https://dev.splunk.com/observability/docs/signalflow/messages/stream_messages_specification/.
type computation struct {
	server *metrics.Server
	names  map[string]string
	order  []string
	last   map[string]float64
	ended  bool
}

func (c *computation) take(e event) error {
	switch e.name {
	case "control-message":
		return c.control(e.data)
	case "metadata":
		var series struct {
			ID         string         `json:"tsId"`
			Properties map[string]any `json:"properties"`
		}
		if err := c.server.Decode([]byte(e.data), &series); err != nil {
			return err
		}
		c.names[series.ID] = nameOf(series.Properties)
	case "data":
		var points struct {
			Data []struct {
				ID    string   `json:"tsId"`
				Value *float64 `json:"value"`
			} `json:"data"`
		}
		if err := c.server.Decode([]byte(e.data), &points); err != nil {
			return err
		}
		for _, point := range points.Data {
			if point.Value == nil {
				continue
			}
			if _, known := c.last[point.ID]; !known {
				c.order = append(c.order, point.ID)
			}
			c.last[point.ID] = *point.Value
		}
	case "error":
		return c.server.Rejects(wordsOf(e.data))
	}
	return nil
}

func (c *computation) control(data string) error {
	var message struct {
		Event string `json:"event"`
		Abort struct {
			Reason string `json:"sf_job_abortReason"`
		} `json:"abortInfo"`
	}
	if err := c.server.Decode([]byte(data), &message); err != nil {
		return err
	}
	switch message.Event {
	case "END_OF_CHANNEL":
		c.ended = true
	case "CHANNEL_ABORT":
		return c.server.Fails("it has given the computation up. " + message.Abort.Reason)
	}
	return nil
}

// wordsOf are those of an error in mid-stream: a list of codes with what they are about, or a message.
func wordsOf(data string) string {
	if said := words([]byte(data)); said != "" {
		return said
	}
	var list struct {
		Errors []struct {
			Code    string          `json:"code"`
			Context json.RawMessage `json:"context"`
		} `json:"errors"`
	}
	_ = json.Unmarshal([]byte(data), &list) // what is no JSON is told as it is
	var all []string
	for _, e := range list.Errors {
		all = append(all, strings.TrimSpace(e.Code+" "+string(e.Context)))
	}
	if len(all) == 0 {
		return data
	}
	return strings.Join(all, "; ")
}

// nameOf is what people know a time series by: its label, and its dimensions.
func nameOf(properties map[string]any) string {
	shown := map[string]any{}
	keys, _ := properties["sf_key"].([]any)
	for _, key := range keys {
		if name, ok := key.(string); ok && name != "sf_originatingMetric" && name != "computationId" && name != "sf_metric" {
			shown[name] = properties[name]
		}
	}
	label, _ := properties["sf_streamLabel"].(string)
	if len(shown) == 0 {
		return label
	}
	dimensions, err := json.Marshal(shown)
	if err != nil {
		return label
	}
	return label + string(dimensions)
}

func (c *computation) samples() []metrics.Sample {
	var samples []metrics.Sample
	for _, id := range c.order {
		samples = append(samples, metrics.Sample{Series: c.names[id], Value: c.last[id]})
	}
	return samples
}
