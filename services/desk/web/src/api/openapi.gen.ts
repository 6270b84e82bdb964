// Made by `npm run types` from openapi.json.
export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description One number, bot or widget of a channel. */
        Account: {
            /** @description The channel. */
            channel: string;
            /** @description Its id. */
            id: string;
            /** @description What agents read. */
            label: string;
            /** @description Whether files can be sent. */
            media: boolean;
            /** @description Its unique name in the channel. */
            name: string;
            /** @description The id of the queue where its conversations begin. */
            queue: string;
            /** @description The ticks that can come. */
            receipts: components["schemas"]["Receipts"];
            /** @description Whether its provider has registered templates. */
            templates: boolean;
        };
        /** @description The company's side of a conversation. */
        AccountRef: {
            /** @description Its id. */
            id: string;
            /** @description What agents read. */
            label: string;
            /** @description Its unique name in the channel. */
            name: string;
        };
        /** @description Somebody who may be given a conversation. */
        Agent: {
            /**
             * Format: int32
             * @description The most that they may serve.
             */
            capacity: number;
            /** @description Their id. */
            id: string;
            /**
             * Format: int32
             * @description Conversations that they serve now.
             */
            load: number;
            /** @description Their name. */
            name: string;
            /** @description Whether they take conversations. */
            presence: components["schemas"]["Presence"];
        };
        /** @description Everybody who may be given a conversation. */
        AgentList: {
            /** @description By name. */
            items: components["schemas"]["Agent"][];
        };
        /** @description How a conversation came to its agent. */
        Assignment: {
            /**
             * Format: int64
             * @description When.
             */
            at: number;
            by: components["schemas"]["Named"] | null;
            /** @description Who was considered, when a rule did it. */
            considered: components["schemas"]["Considered"][];
            /** @description `taken`, `circular`, `transferred`. */
            ground: string;
        };
        /** @description Who wrote a message. */
        Author: {
            /** @description Which kind. */
            type: components["schemas"]["AuthorKind"];
            user: components["schemas"]["Named"] | null;
        };
        /**
         * @description The kinds of author.
         * @enum {string}
         */
        AuthorKind: "contact" | "user" | "system";
        /**
         * @description How a body is shown.
         * @enum {string}
         */
        BodyForm: "json" | "text" | "bytes";
        /** @description A contact card. */
        Card: {
            /** @description E-mail addresses, as given. */
            emails?: string[];
            /** @description The name as it is written. */
            name: string;
            /** @description Company. */
            organization?: string | null;
            /** @description Telephone numbers, as given. */
            phones?: string[];
        };
        /** @description A button. */
        ChoiceOption: {
            /** @description What the button says. */
            label: string;
            /** @description What comes back when it is tapped; the label when it is left out. */
            payload?: string | null;
        };
        /**
         * @description Why a conversation is over.
         * @enum {string}
         */
        CloseReason: "concluded" | "abandoned";
        /** @description An agent who was considered, and the verdict. */
        Considered: {
            /** @description The agent. */
            agent: components["schemas"]["Named"];
            /** @description `chosen`, or why not. */
            verdict: string;
        };
        /** @description The contact's side of a conversation. */
        ContactRef: {
            /** @description Their address on the channel. */
            address: string;
            /** @description Their e-mail. */
            email: string | null;
            /** @description Their id. */
            id: string;
            /** @description Their name. */
            name: string | null;
            /** @description Their telephone number. */
            phone: string | null;
        };
        /** @description A contact that was saved. */
        ContactSaved: {
            /** @description E-mail addresses. */
            emails: string[];
            /** @description Their id; the same card saved again has the same. */
            id: string;
            /** @description Their name. */
            name: string;
            /** @description Telephone numbers. */
            phones: string[];
        };
        /** @description What a message says, by `type`. */
        Content: {
            /** @description The text. */
            text: string;
            /** @enum {string} */
            type: "text";
        } | {
            /** @description The text below it. */
            caption: string | null;
            /** @description For `GET /media/{key}`, when stored. */
            key: string | null;
            /** @description Its kind. */
            kind: components["schemas"]["MediaKind"];
            /** @description MIME type. */
            mime: string;
            /** @description File name. */
            name: string | null;
            /** @description Why it is lost. */
            reason: string | null;
            /**
             * Format: int64
             * @description Size in bytes.
             */
            size: number | null;
            /** @description Where its bytes are. */
            state: components["schemas"]["MediaState"];
            /** @enum {string} */
            type: "media";
        } | {
            /** @description Its postal address. */
            address: string | null;
            /**
             * Format: double
             * @description Degrees north.
             */
            latitude: number;
            /**
             * Format: double
             * @description Degrees east.
             */
            longitude: number;
            /** @description What the place is called. */
            name: string | null;
            /** @enum {string} */
            type: "location";
        } | {
            /** @description At least one. */
            cards: components["schemas"]["Card"][];
            /** @enum {string} */
            type: "contacts";
        } | {
            /** @description What the button said. */
            label: string;
            /** @description What was behind it. */
            payload: string | null;
            /** @enum {string} */
            type: "choice";
        } | {
            /** @description The buttons. */
            options: components["schemas"]["ChoiceOption"][];
            /** @description The question. */
            text: string;
            /** @enum {string} */
            type: "choices";
        } | {
            /** @description The provider's id of it. */
            id: string;
            /** @description BCP 47 language. */
            language: string;
            /** @description Values in order. */
            params: string[];
            /** @description The text as the contact reads it. */
            preview: string;
            /** @enum {string} */
            type: "template";
        } | {
            /** @description The provider's name of it. */
            kind: string;
            /** @enum {string} */
            type: "unsupported";
        };
        /** @description A conversation. */
        Conversation: {
            /** @description The company's side. */
            account: components["schemas"]["AccountRef"];
            agent: components["schemas"]["Named"] | null;
            assignment: components["schemas"]["Assignment"] | null;
            /** @description The channel. */
            channel: string;
            close_reason: components["schemas"]["CloseReason"] | null;
            /**
             * Format: int64
             * @description When it was closed.
             */
            closed_at: number | null;
            /** @description The contact's side. */
            contact: components["schemas"]["ContactRef"];
            /** @description Its id. */
            id: string;
            /**
             * Format: int64
             * @description When anything was last said.
             */
            last_activity_at: number;
            /**
             * Format: int64
             * @description When the contact last wrote.
             */
            last_inbound_at: number | null;
            /**
             * Format: int64
             * @description When it was opened.
             */
            opened_at: number;
            /** @description The last words. */
            preview: string;
            /** @description The type of the last message's content. */
            preview_kind: string;
            /** @description The queue that it is or was last in. */
            queue: components["schemas"]["Named"];
            /** @description Where it is in its life. */
            state: components["schemas"]["Stage"];
            /**
             * Format: int32
             * @description Messages of the contact that no agent has opened.
             */
            unread: number;
            /**
             * Format: int64
             * @description Apply it only when this is newer.
             */
            version: number;
            /**
             * Format: int64
             * @description Since when it has waited.
             */
            waiting_since: number;
            /** @description The messaging window. */
            window: components["schemas"]["Window"];
        };
        /** @description Conversations by filter. */
        ConversationList: {
            /** @description All open conversations that the caller may see. */
            counts: components["schemas"]["CountItem"][];
            /**
             * Format: int64
             * @description The number of the last event before this was read.
             */
            cursor: number;
            /** @description In the order that was asked for. */
            items: components["schemas"]["Conversation"][];
        };
        /** @description How many open conversations of a channel are in a stage. */
        CountItem: {
            /** @description The channel. */
            channel: string;
            /**
             * Format: int64
             * @description How many.
             */
            count: number;
            /** @description The stage. */
            state: components["schemas"]["Stage"];
        };
        /** @description Who wants in. */
        Credentials: {
            /** @description The e-mail, whatever its case. */
            email: string;
            /** @description The password. */
            password: string;
        };
        /** @description What was decided about a parked message. */
        Decision: {
            /**
             * Format: int64
             * @description When.
             */
            at: number;
            by: components["schemas"]["Named"] | null;
            /** @description Why, in the person's words. */
            reason: string | null;
            /** @description What. */
            ruling: components["schemas"]["Ruling"];
        };
        /** @description What became of an outgoing message. */
        Delivery: {
            /**
             * Format: int64
             * @description When the state last moved.
             */
            at: number;
            failure: components["schemas"]["Failure"] | null;
            /** @description How far it came: the ticks. */
            state: components["schemas"]["DeliveryState"];
        };
        /**
         * @description How far an outgoing message came.
         * @enum {string}
         */
        DeliveryState: "queued" | "accepted" | "sent" | "delivered" | "read" | "failed" | "parked";
        /**
         * @description Which way a message went.
         * @enum {string}
         */
        Direction: "in" | "out";
        /** @description Why a parked message ends here. */
        Discard: {
            /** @description In the caller's words. */
            reason: string;
        };
        /**
         * @description How a queue hands out its conversations.
         * @enum {string}
         */
        Distribution: "manual" | "circular";
        /** @description What an agent wants to say, by `type`. */
        Draft: {
            /** @description The text, not blank. */
            text: string;
            /** @enum {string} */
            type: "text";
        } | (components["schemas"]["MediaDraft"] & {
            /** @enum {string} */
            type: "media";
        }) | {
            /** @description Its postal address. */
            address?: string | null;
            /**
             * Format: double
             * @description Degrees north, -90 to 90.
             */
            latitude: number;
            /**
             * Format: double
             * @description Degrees east, -180 to 180.
             */
            longitude: number;
            /** @description What the place is called. */
            name?: string | null;
            /** @enum {string} */
            type: "location";
        } | {
            /** @description At least one. */
            cards: components["schemas"]["Card"][];
            /** @enum {string} */
            type: "contacts";
        } | {
            /** @description The buttons, at least one. */
            options: components["schemas"]["ChoiceOption"][];
            /** @description The question. */
            text: string;
            /** @enum {string} */
            type: "choices";
        } | {
            /**
             * @description The provider's id of it, one of `GET /conversations/{id}/templates`. Its language and its words are the
             *     provider's.
             */
            id: string;
            /** @description Values in order: those of the body, then one for each link with a place. */
            params?: string[];
            /** @enum {string} */
            type: "template";
        };
        /** @description Why a message failed. */
        Failure: {
            /** @description The stable code. */
            code: string;
            /** @description The provider's own code. */
            provider_code: string | null;
            /** @description The provider's own words. */
            reason: string | null;
        };
        /**
         * @description What became of a message in doubt.
         * @enum {string}
         */
        Fate: "arrived" | "again" | "failed";
        /**
         * @description The languages of the desk.
         * @enum {string}
         */
        Language: "pt-BR" | "es" | "en";
        /** @description A new language. */
        LanguageChange: {
            /** @description From now on. */
            language: components["schemas"]["Language"];
        };
        /** @description Everything that a page needs to start. */
        Me: {
            /** @description The organization's accounts. */
            accounts: components["schemas"]["Account"][];
            /**
             * Format: int64
             * @description The number of the last event before this was read.
             */
            cursor: number;
            /** @description Where they work. */
            organization: components["schemas"]["Named"];
            /** @description The organization's queues. */
            queues: components["schemas"]["Queue"][];
            /** @description The caller's seat. */
            seat: components["schemas"]["Seat"];
            /** @description Who the caller is. */
            user: components["schemas"]["User"];
        };
        /** @description A file to send: uploaded before, named by its key. */
        MediaDraft: {
            /** @description The text below it. */
            caption?: string | null;
            /** @description The key that the upload answered. Type and size are the stored ones. */
            key: string;
            /** @description Its kind, as the upload answered it, or `document`. */
            kind: components["schemas"]["MediaKind"];
            /** @description File name that the contact sees. */
            name?: string | null;
        };
        /**
         * @description The kinds of media.
         * @enum {string}
         */
        MediaKind: "image" | "audio" | "video" | "document" | "sticker";
        /**
         * @description Where the bytes of a file are.
         * @enum {string}
         */
        MediaState: "pending" | "stored" | "lost";
        /** @description A message of a conversation. */
        Message: {
            /**
             * Format: int64
             * @description When it was written.
             */
            at: number;
            /** @description Who wrote it. */
            author: components["schemas"]["Author"];
            /** @description What it says. */
            content: components["schemas"]["Content"];
            /** @description The conversation's id. */
            conversation: string;
            delivery: components["schemas"]["Delivery"] | null;
            /** @description Which way it went. */
            direction: components["schemas"]["Direction"];
            /** @description Its id. */
            id: string;
            /** @description The id of the message that it answers. */
            reply_to: string | null;
            /**
             * Format: int64
             * @description Its place in the conversation, from 1.
             */
            sequence: number;
            /**
             * Format: int64
             * @description Apply it only when this is newer.
             */
            version: number;
        };
        /** @description Messages of a conversation. */
        MessageList: {
            /** @description Whether there are older ones. */
            has_more: boolean;
            /** @description Oldest first. */
            items: components["schemas"]["Message"][];
        };
        /** @description A thing with its name; the name is empty when it is not known. */
        Named: {
            /** @description Its id. */
            id: string;
            /** @description Its name. */
            name: string;
        };
        /** @description A card to save. */
        NewContact: {
            /** @description The card. */
            card: components["schemas"]["Card"];
        };
        /** @description A decision about a message in doubt. */
        NewDecision: {
            /** @description What became of it. */
            decision: components["schemas"]["Fate"];
            /** @description Why, in the caller's words. */
            reason?: string | null;
        };
        /** @description A message to write. */
        NewMessage: {
            /** @description What to say. */
            content: components["schemas"]["Draft"];
            /** @description The id of the message that it answers. */
            reply_to?: string | null;
        };
        /** @enum {string} */
        Order: "oldest" | "newest";
        /** @description The account of a parked message. */
        ParkedAccount: {
            /** @description Its id; none when no account of the organization is known by what the message says. */
            id: string | null;
            /** @description What agents read. */
            label: string;
            /** @description Its name, or what the message says. */
            name: string;
        };
        /** @description The body of a parked message as a person can read it, secrets removed. */
        ParkedBody: {
            /** @description How it is shown. */
            form: components["schemas"]["BodyForm"];
            /** @description The words. */
            text: string;
            /** @description There is more of it than is shown. */
            truncated: boolean;
        };
        /** @description Parked messages with one cause. */
        ParkedCause: {
            account: components["schemas"]["ParkedAccount"] | null;
            /** @description The cause in the caller's language. */
            cause: string;
            /** @description The channel, when it is known. */
            channel: string | null;
            /** @description The stable code of the cause. */
            code: string;
            /**
             * Format: int64
             * @description How many.
             */
            count: number;
            /**
             * Format: int64
             * @description When the oldest was parked.
             */
            first_at: number;
            /** @description They may have been sent: each asks for a decision of its own. */
            in_doubt: boolean;
            /**
             * Format: int64
             * @description When the latest was parked.
             */
            last_at: number;
            /** @description Where they stopped. */
            place: string;
            /**
             * Format: int64
             * @description How many of them the router was asked for and has not done yet.
             */
            requested: number;
        };
        /** @description Parked messages by cause, the latest first. */
        ParkedCauses: {
            /** @description The causes. */
            items: components["schemas"]["ParkedCause"][];
            /**
             * Format: int64
             * @description How many messages that is in all.
             */
            total: number;
        };
        /** @description A parked message with all that is known of it. */
        ParkedDetail: {
            /** @description The contact's address, when it is known. */
            address: string | null;
            /** @description Its body. */
            body: components["schemas"]["ParkedBody"];
            content: components["schemas"]["Content"] | null;
            /** @description The conversation, when it is known. */
            conversation: string | null;
            /** @description What was decided about it, the oldest first. */
            decisions: components["schemas"]["Decision"][];
            /** @description As the list shows it. */
            item: components["schemas"]["ParkedItem"];
            /** @description Where redriving sends it. */
            route: string;
        };
        /** @description A parked message, as the list shows it. */
        ParkedItem: {
            account: components["schemas"]["ParkedAccount"] | null;
            /**
             * Format: int64
             * @description When it was parked.
             */
            at: number;
            /** @description The cause in the caller's language. */
            cause: string;
            /** @description The channel, when it is known. */
            channel: string | null;
            /** @description The stable code of the cause. */
            code: string;
            /**
             * Format: int64
             * @description When it went on its way, or was ended.
             */
            ended_at: number | null;
            /** @description Its id. */
            id: string;
            /** @description It may have been sent: it asks for a decision of its own. */
            in_doubt: boolean;
            /** @description Where it stopped: a service and a step. */
            place: string;
            /** @description The provider's own code. */
            provider_code: string | null;
            /** @description One English sentence with what happened, secrets removed. */
            reason: string;
            requested: components["schemas"]["Ruling"] | null;
            /**
             * Format: int64
             * @description The size of its body, in bytes.
             */
            size: number;
            /** @description Where it stands. */
            state: components["schemas"]["ParkedState"];
            /**
             * Format: int64
             * @description Apply it only when this is newer.
             */
            version: number;
        };
        /** @description Parked messages, newest first. */
        ParkedList: {
            /** @description The messages. */
            items: components["schemas"]["ParkedItem"][];
            /** @description What to give as `before` for those that follow; none when there are no more. */
            next: string | null;
        };
        /** @description Parked messages moved: which, as far as that is known. What it leaves is read anew. */
        ParkedMoved: {
            /** @description Parked, decided about, or on their way. */
            parked: string[];
            /** @description Messages that were in doubt and settled by themselves. */
            settled: string[];
        };
        /**
         * @description Where they stand.
         * @enum {string}
         */
        ParkedStanding: "waiting" | "ended";
        /**
         * @description Where a parked message stands.
         * @enum {string}
         */
        ParkedState: "waiting" | "requested" | "redriven" | "ended";
        /**
         * @description Whether an agent takes conversations.
         * @enum {string}
         */
        Presence: "online" | "paused" | "offline";
        /** @description A new presence. */
        PresenceChange: {
            /** @description From now on. */
            presence: components["schemas"]["Presence"];
        };
        /** @description The body of every answer that is not a success (`application/problem+json`). */
        ProblemDetails: {
            /** @description The stable code. */
            code: string;
            /** @description One English sentence with the cause. */
            detail: string;
            /**
             * Format: int32
             * @description The HTTP status again.
             */
            status: number;
            /** @description One sentence in the caller's language. */
            title: string;
            /** @description The trace to look for, when there is one. */
            trace_id: string | null;
            /** @description A page about the code: `/errors/<code>`. */
            type: string;
        };
        /** @description A queue. */
        Queue: {
            /** @description How conversations leave it. */
            distribution: components["schemas"]["Distribution"];
            /** @description Its id. */
            id: string;
            /** @description Whether the caller serves it. */
            member: boolean;
            /** @description Its name. */
            name: string;
        };
        /** @description The receipts that a channel gives: only these ticks can come. */
        Receipts: {
            /** @description On the contact's device. */
            delivered: boolean;
            /** @description Read by the contact. */
            read: boolean;
            /** @description Handed to the network. */
            sent: boolean;
        };
        /** @description Which of them go on their way. */
        Redrive: components["schemas"]["Selection"] & {
            /** @description Really all of them: asked for when nothing narrows. */
            all?: boolean;
        };
        /** @description What a command about several parked messages reached. */
        Redriven: {
            /**
             * Format: int64
             * @description How many the router was asked to send on their way.
             */
            count: number;
        };
        /**
         * @description What a person may do.
         * @enum {string}
         */
        Role: "agent" | "supervisor_agent" | "supervisor" | "administrator";
        /**
         * @description What a person decided.
         * @enum {string}
         */
        Ruling: "redrive" | "again" | "arrived" | "failed" | "discard";
        /** @description A contact of the organization. */
        SavedContact: {
            /** @description E-mail addresses. */
            emails: string[];
            /** @description Their id. */
            id: string;
            /** @description Their name. */
            name: string | null;
            /** @description Telephone numbers. */
            phones: string[];
            /**
             * Format: int64
             * @description Apply it only when this is newer.
             */
            version: number;
        };
        /** @description An agent's seat. */
        Seat: {
            /**
             * Format: int32
             * @description The most that they may serve.
             */
            capacity: number;
            /**
             * Format: int32
             * @description Conversations that they serve now.
             */
            load: number;
            /** @description Whether they take conversations. */
            presence: components["schemas"]["Presence"];
            /** @description The agent's id. */
            user: string;
            /**
             * Format: int64
             * @description Apply a seat only when this is newer; 0 for an agent who never sat down.
             */
            version: number;
        };
        /** @description What narrows. What is not said does not. */
        Selection: {
            /** @description Of this account, by id or name; `none` for those that no account is known of. */
            account?: string | null;
            /** @description On this channel; `none` for those that no channel is known of. */
            channel?: string | null;
            /** @description With this code. */
            code?: string | null;
            /** @description Stopped here. */
            place?: string | null;
            /**
             * Format: int64
             * @description Parked at this time or later, in milliseconds since 1970.
             */
            since?: number | null;
            /**
             * Format: int64
             * @description Parked before this time.
             */
            until?: number | null;
        };
        /** @description A sign-in. */
        SignedIn: {
            /**
             * Format: int64
             * @description Until when it is good.
             */
            expires_at: number;
            /** @description For `Authorization: Bearer`; the cookie carries the same. */
            token: string;
            /** @description Who signed in. */
            user: components["schemas"]["User"];
        };
        /**
         * @description The life of a conversation.
         * @enum {string}
         */
        Stage: "waiting" | "active" | "inactive" | "closed";
        /**
         * @description Where a conversation goes.
         * @enum {string}
         */
        TargetKind: "agent" | "queue";
        /** @description A template that may be sent. */
        Template: {
            /** @description The text, with `{{1}}`, `{{2}}`... where values go. */
            body: string;
            /** @description How many of them stand in the body. */
            body_places: number;
            /** @description What can be tapped. */
            buttons: components["schemas"]["TemplateButton"][];
            /** @description What it is for. */
            category: components["schemas"]["TemplateCategory"];
            /** @description What stands below it. */
            footer: string | null;
            /** @description The line above the body. */
            header: string | null;
            /** @description The provider's id of it. */
            id: string;
            /** @description The provider's code of its language (`pt_BR`). */
            language: string;
            /** @description What its author called it. */
            name: string;
            /** @description How many values it takes: `{{1}}` to `{{n}}` of the body, then one for each link with a place. */
            places: number;
        };
        /**
         * @description What a template's button does.
         * @enum {string}
         */
        TemplateAction: "reply" | "link" | "call";
        /** @description A button of a template. */
        TemplateButton: {
            /** @description What it does. */
            action: components["schemas"]["TemplateAction"];
            /** @description What it says. */
            label: string;
            /** @description The page or the number. A place in a page takes a value, after those of the body. */
            target: string | null;
        };
        /**
         * @description What a template is for.
         * @enum {string}
         */
        TemplateCategory: "marketing" | "utility" | "authentication" | "other";
        /** @description The templates of a conversation's account. */
        TemplateList: {
            /** @description Why they could not be read since then, as a stable code. */
            failed: string | null;
            /** @description By name, then language. */
            items: components["schemas"]["Template"][];
            /**
             * Format: int64
             * @description When they were read from the provider; none when they never were.
             */
            read_at: number | null;
        };
        /** @description A transfer. */
        Transfer: {
            /** @description To whom. */
            to: components["schemas"]["TransferTarget"];
        };
        /** @description An agent or a queue. */
        TransferTarget: {
            /** @description Its id. */
            id: string;
            /** @description Which of the two. */
            type: components["schemas"]["TargetKind"];
        };
        /** @description A file to upload. */
        UploadForm: {
            /**
             * Format: binary
             * @description The file.
             */
            file: string;
        };
        /** @description A file that was uploaded. */
        Uploaded: {
            /** @description For a message's content and for `GET /media/{key}`. */
            key: string;
            /** @description Its kind. */
            kind: components["schemas"]["MediaKind"];
            /** @description MIME type, as its bytes tell it. */
            mime: string;
            /** @description File name. */
            name: string | null;
            /**
             * Format: int64
             * @description Size in bytes.
             */
            size: number;
        };
        /** @description A person who signs in. */
        User: {
            /**
             * Format: int32
             * @description How many conversations at a time.
             */
            capacity: number;
            /** @description What they sign in with. */
            email: string;
            /** @description Their id. */
            id: string;
            /** @description Their language. */
            language: components["schemas"]["Language"];
            /** @description Their name. */
            name: string;
            /** @description Their role. */
            role: components["schemas"]["Role"];
        };
        /** @description The messaging window. */
        Window: {
            /**
             * Format: int64
             * @description When it closes, for a timed one; in the past, or null, means closed.
             */
            closes_at: number | null;
            /** @description Its kind. */
            rule: components["schemas"]["WindowRule"];
        };
        /**
         * @description The kinds of window.
         * @enum {string}
         */
        WindowRule: "none" | "timed";
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
