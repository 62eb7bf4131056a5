package main

import (
	"fmt"
	"slices"
)

// description is Google's of an API, as far as it is about what is sent.
type description struct {
	Schemas map[string]schema `json:"schemas"`
}

type schema struct {
	Ref        string            `json:"$ref"`
	Type       string            `json:"type"`
	Enum       []string          `json:"enum"`
	Items      *schema           `json:"items"`
	Properties map[string]schema `json:"properties"`
	ReadOnly   bool              `json:"readOnly"`
}

// holds says what of a value is not as described.
func (d description) holds(path string, s schema, value any) error {
	if s.Ref != "" {
		named, ok := d.Schemas[s.Ref]
		if !ok {
			return fmt.Errorf("%s: there is no schema %s", path, s.Ref)
		}
		s = named
	}
	switch v := value.(type) {
	case map[string]any:
		return d.fields(path, s, v)
	case []any:
		if s.Type != "array" || s.Items == nil {
			return fmt.Errorf("%s is no list but %s", path, s.Type)
		}
		for i, item := range v {
			if err := d.holds(fmt.Sprintf("%s[%d]", path, i), *s.Items, item); err != nil {
				return err
			}
		}
	case string:
		if s.Type != "string" || len(s.Enum) > 0 && !slices.Contains(s.Enum, v) {
			return fmt.Errorf("%s cannot be %q", path, v)
		}
	case bool:
		if s.Type != "boolean" {
			return fmt.Errorf("%s is no boolean but %s", path, s.Type)
		}
	default:
		return fmt.Errorf("%s: Weir sends nothing of this type", path)
	}
	return nil
}

func (d description) fields(path string, s schema, fields map[string]any) error {
	for name, value := range fields {
		property, ok := s.Properties[name]
		if !ok || property.ReadOnly {
			return fmt.Errorf("%s has no field %s that could be set", path, name)
		}
		if err := d.holds(path+"."+name, property, value); err != nil {
			return err
		}
	}
	return nil
}
