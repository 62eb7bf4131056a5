package cli

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	kubeyaml "sigs.k8s.io/yaml"
)

// manifest is one object as it stands in a file.
type manifest struct {
	file string
	// line that its document begins at.
	line   int
	object unstructured.Unstructured
	// node is the same as written, by which the lines of its fields are found.
	node *yaml.Node
}

// problem is what is wrong with a manifest, in one sentence.
type problem struct {
	file     string
	line     int
	object   string
	sentence string
}

// String is the line that a person reads.
func (p problem) String() string {
	if p.object == "" {
		return fmt.Sprintf("%s:%d: %s", p.file, p.line, p.sentence)
	}
	return fmt.Sprintf("%s:%d: %s: %s", p.file, p.line, p.object, p.sentence)
}

func (p problem) compare(q problem) int {
	return cmp.Or(strings.Compare(p.file, q.file), cmp.Compare(p.line, q.line))
}

func (m manifest) name() string {
	return strings.TrimSpace(m.object.GetKind() + " " + cmp.Or(m.object.GetName(), m.object.GetGenerateName()))
}

func (m manifest) kind() schema.GroupVersionKind { return m.object.GroupVersionKind() }

// problem is one of the manifest's, at the line of the field where that is known.
func (m manifest) problem(path, format string, args ...any) problem {
	return problem{file: m.file, line: m.lineOf(path), object: m.name(), sentence: fmt.Sprintf(format, args...)}
}

// lineOf is the line of a field, or of the nearest field around it that is written.
func (m manifest) lineOf(path string) int {
	at := m.line
	for node, rest := m.node, keys(path); node != nil; node, rest = child(node, rest[0]), rest[1:] {
		at = m.line + node.Line - 1
		if len(rest) == 0 {
			break
		}
	}
	return at
}

// keys takes a path like spec.metrics[0].name apart.
func keys(path string) []string {
	path = strings.NewReplacer("[", ".", "]", "").Replace(path)
	return strings.FieldsFunc(path, func(r rune) bool { return r == '.' })
}

// child is the field of a map, or the item of a list; of a field, its key, so that the line is that of its name.
func child(node *yaml.Node, key string) *yaml.Node {
	if node == nil {
		return nil
	}
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node.Kind == yaml.SequenceNode {
		if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < len(node.Content) {
			return node.Content[i]
		}
		return nil
	}
	if node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			value := *node.Content[i+1]
			value.Line = node.Content[i].Line
			return &value
		}
	}
	return nil
}

// manifests reads the objects of a file; lists are taken apart.
func manifests(file string, content []byte) ([]manifest, []problem) {
	var found []manifest
	var problems []problem
	for _, d := range documents(string(content)) {
		objects, err := d.objects(file)
		if err != nil {
			problems = append(problems, d.unreadable(file, err))
			continue
		}
		found = append(found, objects...)
	}
	return found, problems
}

// unreadable tells an error of the YAML library, whose lines count from the beginning of the document.
func (d document) unreadable(file string, err error) problem {
	said, line := strings.Join(strings.Fields(err.Error()), " "), d.line
	if parts := yamlLine.FindStringSubmatch(said); parts != nil {
		within, _ := strconv.Atoi(parts[1]) // it is made of digits
		line, said = d.line+within-1, parts[2]
	}
	return problem{file: file, line: line, sentence: "the document cannot be read: " + said}
}

var yamlLine = regexp.MustCompile(`^.*?line (\d+): (.*)$`)

// document is one of a YAML stream.
type document struct {
	line int
	text string
}

func documents(stream string) []document {
	var all []document
	d := document{line: 1}
	for i, line := range strings.SplitAfter(stream, "\n") {
		if strings.HasPrefix(line, "---") {
			all = append(all, d)
			d = document{line: i + 2}
			continue
		}
		d.text += line
	}
	return append(all, d)
}

func (d document) objects(file string) ([]manifest, error) {
	// As the API server in strict mode: what stands there twice is an error.
	raw, err := kubeyaml.YAMLToJSONStrict([]byte(d.text))
	if err != nil {
		return nil, err
	}
	var value any
	if err := utiljson.Unmarshal(raw, &value); err != nil {
		return nil, err
	}
	if value == nil { // nothing between two separators
		return nil, nil
	}
	fields, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("it is no object with apiVersion and kind")
	}
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(d.text), &root); err != nil || len(root.Content) == 0 {
		return nil, err
	}
	return d.apart(manifest{file: file, line: d.line, object: unstructured.Unstructured{Object: fields}, node: root.Content[0]}), nil
}

// apart gives the items of a list, or else the object itself.
func (d document) apart(m manifest) []manifest {
	items, isList := m.object.Object["items"].([]any)
	if !isList || !strings.HasSuffix(m.object.GetKind(), "List") {
		return []manifest{m}
	}
	var all []manifest
	for i, item := range items {
		if fields, ok := item.(map[string]any); ok {
			all = append(all, manifest{file: m.file, line: d.line, object: unstructured.Unstructured{Object: fields},
				node: child(child(m.node, "items"), strconv.Itoa(i))})
		}
	}
	return all
}
