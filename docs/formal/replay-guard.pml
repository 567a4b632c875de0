/*
 * The replay guard of docs/protocol.md §4, for spin 6.5. README.md says what is modelled, and what each -D does.
 *
 * One envelope, that an adversary delivers as often and when he likes, to any of N readers that share one store.
 * Time is in steps of a second. Each reader has a clock of its own, and so has the store.
 */

#ifndef N
#define N 2
#endif
#define CLOCK_ERROR 1
#define MAX_AGE 2
#define MAX_SKEW 1
#define ISSUED_AT 4
#ifndef MAX_LOSSES
#define MAX_LOSSES 1
#endif

#ifdef SHORT_LIFE
#define EXPIRES_AT (ISSUED_AT + 1 + MAX_AGE)
#else
#define EXPIRES_AT (ISSUED_AT + 1 + MAX_AGE + 2 * CLOCK_ERROR)
#endif

/* nothing can be accepted after it, by any clock */
#define END (EXPIRES_AT + CLOCK_ERROR + 1)
#define NEVER_LOST (-100)

#ifdef SHARED_STORE
/* what the shared stores answer is a clock's error later than their start */
#define KNOWN_FROM(since) ((since) + CLOCK_ERROR + MAX_SKEW + CLOCK_ERROR)
#else
#define KNOWN_FROM(since) ((since) + MAX_SKEW + CLOCK_ERROR)
#endif

#ifdef NO_RESTART_RULE
#define IS_REMEMBERED(since) true
#else
#define IS_REMEMBERED(since) (ISSUED_AT > KNOWN_FROM(since))
#endif

#ifdef NO_FRESHNESS
#define IS_FRESH(now) true
#else
#define IS_FRESH(now) ((now) - ISSUED_AT >= -MAX_SKEW && (now) - ISSUED_AT <= MAX_AGE)
#endif

#ifdef NO_WATERMARK
#define MAY_BE_FORGOTTEN false
#else
#define MAY_BE_FORGOTTEN (EXPIRES_AT <= forgotten)
#endif

/* A stopped process claims late, but the store refuses what has expired by its own clock. */
#ifdef PROMPT
#define LATENESS CLOCK_ERROR
#else
#define LATENESS (3 * CLOCK_ERROR)
#endif

/* true time */
short time = 0;
/* how far each clock is ahead; the last one is the store's */
short ahead[N + 1] = 0;
#define READING(i) (time + ahead[i])
#define STORE_READING READING(N)

/* the store: whether it holds the envelope's id, what it may have dropped, and since when it knows */
bool isHeld = false;
short forgotten = 0;
short since = NEVER_LOST;
byte losses = 0;

/* what the properties speak about */
byte accepted = 0;
bool wasClaimed = false;
bool isStale = false;
bool isNeedless = false;
/* how far the clock was ahead by which the envelope was accepted */
short acceptedAhead = -CLOCK_ERROR;

/* The assumption: a start is not told by a clock that is more than clockError behind one that let a message in before. */
#if defined(FULL_CLOCK_ERROR) || defined(SHARED_STORE)
#define ANY_START
#define CLOCKS_AGREE true
#else
#define CLOCKS_AGREE (ahead[N] >= acceptedAhead - CLOCK_ERROR)
#endif

inline step(which) {
  if
  :: ahead[which] = -CLOCK_ERROR
  :: ahead[which] = 0
  :: ahead[which] = CLOCK_ERROR
  fi
}

inline accept(aheadThen) {
  accepted++;
#ifndef ANY_START
  acceptedAhead = (aheadThen > acceptedAhead -> aheadThen : acceptedAhead);
#endif
#ifdef REACH_ACCEPTED
  assert(!accepted);
#endif
#ifdef REACH_ACCEPTED_AFTER_LOSS
  assert(!(accepted && losses));
#endif
  /* P1 */
  assert(accepted <= 1);
  /* P2 */
  isStale = time - ISSUED_AT < -MAX_SKEW - CLOCK_ERROR || time - ISSUED_AT > MAX_AGE + LATENESS;
  assert(!isStale)
}

inline refuse() {
#if defined(PROMPT) && !defined(NO_WATERMARK)
  /* P3 */
  isNeedless = !wasClaimed && IS_FRESH(READING(_pid)) && ISSUED_AT > KNOWN_FROM(since);
  assert(!isNeedless);
#endif
  skip
}

/* the store's one verb, and what the guard makes of its answer */
inline claim(aheadThen, knownThen) {
  if
  :: EXPIRES_AT <= STORE_READING || MAY_BE_FORGOTTEN || isHeld -> refuse()
  :: else ->
    isHeld = true;
#ifdef NO_SECOND_LOOK
    if
    :: IS_REMEMBERED(knownThen) -> accept(aheadThen)
    :: else -> refuse()
    fi;
#else
    if
    :: IS_REMEMBERED(since) -> accept(aheadThen)
    :: else -> refuse()
    fi;
#endif
    wasClaimed = true
  fi
}

active [N] proctype Reader() {
  short aheadThen = 0;
  short knownThen = 0;
  bool isNew = false;

end:
  do
#ifdef PROMPT
  :: atomic {
      time < END ->
      if
      :: IS_FRESH(READING(_pid)) && IS_REMEMBERED(since) -> claim(ahead[_pid], since)
      :: else -> refuse()
      fi
    }
#else
  :: atomic {
      time < END && IS_FRESH(READING(_pid)) && IS_REMEMBERED(since) ->
      aheadThen = ahead[_pid];
#ifdef NO_SECOND_LOOK
      knownThen = since
#endif
    }
    /* here the process may be stopped, for any time */
#ifdef SPLIT_CLAIM
    isNew = !isHeld;
    atomic {
      if
      :: isNew && EXPIRES_AT > STORE_READING && !MAY_BE_FORGOTTEN && IS_REMEMBERED(since) ->
        isHeld = true;
        accept(aheadThen)
      :: else
      fi;
      isNew = false;
      aheadThen = 0
    }
#else
    atomic {
      claim(aheadThen, knownThen);
      aheadThen = 0;
      knownThen = 0
    }
#endif
#endif
  od
}

/* time, clocks, the store's housekeeping, and its losses */
active proctype World() {
end:
  do
  :: atomic { time < END -> time++ }

  /* a clock is stepped, within its bound */
  :: atomic { time < END -> step(0) }
  :: atomic { time < END -> step(1) }
  :: atomic { time < END -> step(2) }
#if N > 2
  :: atomic { time < END -> step(3) }
#endif

  /* the store drops what has expired by its clock: the envelope's id ... */
  :: atomic {
      isHeld && EXPIRES_AT <= STORE_READING ->
      isHeld = false;
      forgotten = EXPIRES_AT
    }
#ifdef PROMPT
  /* ... or others only. That makes it refuse more, so it is needed for P3 alone. */
  :: atomic {
      STORE_READING > forgotten && (!isHeld || EXPIRES_AT > STORE_READING) ->
      forgotten = STORE_READING
    }
#endif

  /* the store loses everything, and starts again by what its clock then says */
  :: atomic {
      time < END && losses < MAX_LOSSES && CLOCKS_AGREE ->
      losses++;
      isHeld = false;
      forgotten = 0;
      since = STORE_READING
    }
  od
}
