-- The requests that wrk sends; arguments: method, a file with the body ("-" for none), a file with
-- tokens ("-" for none), a number that no earlier run had, and headers as pairs.
--
-- Each "@ID@" in the body becomes a new id, and requests take turns with the tokens.

local template, tokens, run, ids, sent = nil, {}, 0, 0, 0

local function read(path)
    local file = assert(io.open(path, "rb"))
    local text = file:read("*a")
    file:close()
    return text
end

local function next_id()
    ids = ids + 1
    return string.format("%08x-0000-7000-8000-%012x", run, ids)
end

function init(args)
    wrk.method = args[1]
    if args[2] ~= "-" then template = read(args[2]) end
    if args[3] ~= "-" then
        for line in io.lines(args[3]) do tokens[#tokens + 1] = line end
    end
    run = tonumber(args[4])
    for at = 5, #args, 2 do wrk.headers[args[at]] = args[at + 1] end
    if not template and #tokens == 0 then
        local whole = wrk.format()
        request = function() return whole end
    end
end

function request()
    sent = sent + 1
    if #tokens > 0 then
        wrk.headers["Authorization"] = "Bearer " .. tokens[(sent - 1) % #tokens + 1]
    end
    return wrk.format(nil, nil, nil, template and (template:gsub("@ID@", next_id)))
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '\n{"requests": %d, "seconds": %f, "failed": %d, "lost": %d, "p50": %f, "p99": %f}\n',
        summary.requests, summary.duration / 1e6, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50) / 1e6, latency:percentile(99) / 1e6
    ))
end
