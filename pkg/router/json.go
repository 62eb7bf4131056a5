package router

// What routers write and read is kept as JSON has it: upstream's Go types leave out a weight of 0, and know nothing of
// fields that are newer than they are.

// Objects are the objects of a list; what is no list has none.
func Objects(list any) []map[string]any {
	items, _ := list.([]any)
	var out []map[string]any
	for _, item := range items {
		if o, ok := item.(map[string]any); ok {
			out = append(out, o)
		}
	}
	return out
}

// List is a list as JSON has it.
func List[T any](of []T) []any {
	out := make([]any, 0, len(of))
	for _, o := range of {
		out = append(out, o)
	}
	return out
}
