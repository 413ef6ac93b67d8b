//! Wrongs of clients that keep their tokens for others: for their other processes, and for their next start.

wrongs! {
    LOCKS_NOTHING "locks-nothing" ["CLR-11"] "each process renews from its own memory and looks at no other"
    STORES_LAST "stores-last" ["CLR-11", "CLR-14", "CLR-20", "CLR-39"] "tokens are stored when the work is done, and not before they are used"
    KEEPS_FIRST "keeps-first" ["CLR-11", "CLR-14", "CLR-39"] "what is stored is what the client began with"
    SHOWS_ARGUMENTS "shows-arguments" ["CLL-04"] "tokens are handed to another process in its arguments"
    LEAVES_TEMPORARY_FILES "leaves-temporary-files" ["CLL-07"] "a dump of the last token response lies in the folder for temporary files"
    OPENS_STORE "opens-store" ["CLL-06"] "everybody on the machine may read the file with the tokens"
}
