// Package argocd runs the scripts of artifacts/argocd as Argo CD does: in the same interpreter, with the few
// libraries that it gives to a user's scripts, and with the object as their global obj.
package argocd

import (
	"context"
	"fmt"
	"time"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Health is what a script says of an object.
type Health struct {
	// Status is Healthy, Progressing, Suspended or Degraded.
	Status, Message string
}

// patience is how long Argo CD lets a script run.
const patience = time.Second

// Judge runs a script that says how an object is.
func Judge(script string, obj *unstructured.Unstructured) (Health, error) {
	said, err := run(script, obj)
	if err != nil {
		return Health{}, err
	}
	table, ok := plain(said, nil).(map[string]any)
	if !ok {
		return Health{}, fmt.Errorf("the script gave %s, not a table", said.Type())
	}
	status, _ := table["status"].(string)
	message, _ := table["message"].(string)
	return Health{Status: status, Message: message}, nil
}

// Act runs an action, and gives the object as the action wants it.
func Act(script string, obj *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	said, err := run(script, obj)
	if err != nil {
		return nil, err
	}
	content, ok := plain(said, obj.Object).(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the script gave %s, not an object", said.Type())
	}
	return &unstructured.Unstructured{Object: content}, nil
}

// Discover runs the script that names the actions, and gives those that can be taken now.
func Discover(script string, obj *unstructured.Unstructured) (map[string]bool, error) {
	said, err := run(script, obj)
	if err != nil {
		return nil, err
	}
	table, ok := plain(said, nil).(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the script gave %s, not a table", said.Type())
	}
	enabled := map[string]bool{}
	for name, action := range table {
		fields, _ := action.(map[string]any)
		disabled, _ := fields["disabled"].(bool)
		enabled[name] = !disabled
	}
	return enabled, nil
}

func run(script string, obj *unstructured.Unstructured) (lua.LValue, error) {
	// Of Lua's own libraries a script of a user's has these alone: none for strings or numbers, and of os the time.
	l := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer l.Close()
	for name, library := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable,
	} {
		if err := l.CallByParam(lua.P{Fn: l.NewFunction(library), Protect: true}, lua.LString(name)); err != nil {
			return nil, fmt.Errorf("opening a library: %w", err)
		}
	}
	l.PreloadModule(lua.OsLibName, func(l *lua.LState) int {
		l.Push(l.SetFuncs(l.NewTable(), map[string]lua.LGFunction{"time": func(l *lua.LState) int {
			l.Push(lua.LNumber(time.Now().Unix()))
			return 1
		}}))
		return 1
	})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	l.SetContext(ctx)
	l.SetGlobal("obj", value(l, obj.Object))
	if err := l.DoString(script); err != nil {
		return nil, fmt.Errorf("running the script: %w", err)
	}
	return l.Get(-1), nil
}

// value is a part of an object as a script sees it.
func value(l *lua.LState, of any) lua.LValue {
	switch v := of.(type) {
	case bool:
		return lua.LBool(v)
	case string:
		return lua.LString(v)
	case int64:
		return lua.LNumber(v)
	case float64:
		return lua.LNumber(v)
	case []any:
		table := l.CreateTable(len(v), 0)
		for _, item := range v {
			table.Append(value(l, item))
		}
		return table
	case map[string]any:
		table := l.CreateTable(0, len(v))
		for key, item := range v {
			table.RawSetString(key, value(l, item))
		}
		return table
	}
	return lua.LNil
}

// plain is the way back. A table without entries could be a list or a map: it is what it was before.
func plain(v lua.LValue, before any) any {
	switch v := v.(type) {
	case lua.LBool:
		return bool(v)
	case lua.LString:
		return string(v)
	case lua.LNumber:
		if _, ok := before.(float64); ok {
			return float64(v)
		}
		return int64(v)
	case *lua.LTable:
		if list, ok := before.([]any); ok || v.MaxN() > 0 {
			return plainList(v, list)
		}
		was, _ := before.(map[string]any)
		content := map[string]any{}
		v.ForEach(func(key, item lua.LValue) { content[key.String()] = plain(item, was[key.String()]) })
		return content
	}
	return nil
}

func plainList(table *lua.LTable, before []any) []any {
	list := make([]any, 0, table.MaxN())
	for i := range table.MaxN() {
		var was any
		if i < len(before) {
			was = before[i]
		}
		list = append(list, plain(table.RawGetInt(i+1), was))
	}
	return list
}
