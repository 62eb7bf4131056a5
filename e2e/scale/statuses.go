package main

import (
	"maps"
	"reflect"
	"slices"
)

// step is one status that was committed in the release.
type step struct {
	Phase  string `json:"phase"`
	Weight int64  `json:"weight"`
	Step   string `json:"step"`
	// Why is the reason of the condition Ready.
	Why string `json:"why"`
	// Changed are the fields that were others in the status before.
	Changed []string `json:"changed"`
}

// statuses are what the operator committed, one after the other.
func statuses(events []event) []step {
	var steps []step
	var last map[string]any
	for _, e := range events {
		if e.resource() != "canaries.weir.dev/status" || e.ResponseStatus.Code >= 300 || e.ResponseObject == nil {
			continue
		}
		status, _ := e.ResponseObject["status"].(map[string]any)
		s := step{Why: readiness(status)}
		s.Phase, _ = status["phase"].(string)
		if weight, ok := status["weight"].(float64); ok {
			s.Weight = int64(weight)
		}
		if at, ok := status["step"].(map[string]any); ok {
			s.Step, _ = at["progress"].(string)
		}
		is := fieldsOf(status)
		if last != nil {
			s.Changed = differing(last, is)
		}
		last = is
		steps = append(steps, s)
	}
	return steps
}

func readiness(status map[string]any) string {
	conditions, _ := status["conditions"].([]any)
	for _, item := range conditions {
		if c, ok := item.(map[string]any); ok && c["type"] == "Ready" {
			reason, _ := c["reason"].(string)
			return reason
		}
	}
	return ""
}

// fieldsOf are the fields of a status, those of its parts by name, conditions by their type.
func fieldsOf(status map[string]any) map[string]any {
	all := map[string]any{}
	for name, value := range status {
		switch value := value.(type) {
		case map[string]any:
			for inner, v := range value {
				all[name+"."+inner] = v
			}
		case []any:
			for _, item := range value {
				c, ok := item.(map[string]any)
				if kind, isCondition := c["type"].(string); ok && isCondition {
					all[kind] = c
				} else {
					all[name] = value
				}
			}
		default:
			all[name] = value
		}
	}
	return all
}

func differing(a, b map[string]any) []string {
	names := maps.Clone(a)
	maps.Copy(names, b)
	var changed []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !reflect.DeepEqual(a[name], b[name]) {
			changed = append(changed, name)
		}
	}
	return changed
}
