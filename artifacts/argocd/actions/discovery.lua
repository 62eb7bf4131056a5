-- The actions on a Canary, and which of them there is a use for now.
local status = obj.status or {}
local run = status.run
local paused = run ~= nil and run.paused ~= nil
return {
  pause = {disabled = run == nil or paused},
  resume = {disabled = run == nil},
  promote = {disabled = run == nil},
  abort = {disabled = run == nil},
  retry = {disabled = status.phase ~= "Failed"},
}
