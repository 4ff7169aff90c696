%% How is a gen_server of another node called? gen_server:call over the distribution, both nodes on this machine.
%% Started by drive_erlang.py; orders come as lines "round_trip SECONDS" or "throughput SECONDS".
-module(peer_node).
-behaviour(gen_server).
-export([serve/0, drive/0, init/1, handle_call/3, handle_cast/2]).

-define(IN_FLIGHT, 64).
-define(WARM_UP, 300).

%% --- the worker

serve() ->
    {ok, _} = gen_server:start({local, peer}, ?MODULE, [], []),
    io:format("serving~n"),
    spawn(fun() -> eof = io:get_line(""), erlang:halt(0) end).

init([]) -> {ok, none}.

handle_call({answer, Message}, _From, State) -> {reply, answer(Message), State}.

handle_cast(_, State) -> {noreply, State}.

answer(#{<<"message_id">> := Id}) -> #{<<"ok">> => true, <<"seen">> => Id}.

%% --- the host

drive() ->
    [Worker, File] = init:get_plain_arguments(),
    {ok, [Message]} = file:consult(File),
    Call = fun() -> gen_server:call({peer, list_to_atom(Worker)}, {answer, Message}) end,
    Expected = answer(Message),
    [Expected = Call() || _ <- lists:seq(1, ?WARM_UP)],
    io:format("ready OTP ~s, ERTS ~s~n", [erlang:system_info(otp_release), erlang:system_info(version)]),
    obey(Call).

obey(Call) ->
    case io:get_line("") of
        eof -> erlang:halt(0);
        Line ->
            [Case, Seconds] = string:lexemes(string:trim(Line), " "),
            Length = round(list_to_float(Seconds) * 1.0e9),
            Start = now_ns(),
            case Case of
                "round_trip" ->
                    Taken = lists:sort(one_after_the_other(Call, Length)),
                    Span = now_ns() - Start,
                    Count = length(Taken),
                    io:format("~b ~b ~b ~b~n", [Count, Span, rank(0.5, Taken, Count), rank(0.99, Taken, Count)]);
                "throughput" ->
                    Count = in_flight(Call, Length),
                    io:format("~b ~b~n", [Count, now_ns() - Start])
            end,
            obey(Call)
    end.

now_ns() -> erlang:monotonic_time(nanosecond).

rank(Share, Ordered, Count) -> lists:nth(max(1, ceil(Share * Count)), Ordered).

one_after_the_other(Call, Length) ->
    Start = now_ns(),
    one_after_the_other(Call, Start + Length, Start, []).

one_after_the_other(Call, End, Before, Taken) ->
    Call(),
    case now_ns() of
        After when After < End -> one_after_the_other(Call, End, After, [After - Before | Taken]);
        After -> [After - Before | Taken]
    end.

in_flight(Call, Length) ->
    Me = self(),
    Repeat = fun() -> Me ! {done, length(one_after_the_other(Call, Length))} end,
    [spawn_link(Repeat) || _ <- lists:seq(1, ?IN_FLIGHT)],
    lists:sum([receive {done, Count} -> Count end || _ <- lists:seq(1, ?IN_FLIGHT)]).
